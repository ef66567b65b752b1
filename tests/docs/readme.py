"""What the tests of README.md share: its blocks of code, and how they are made quick."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# A reader waits minutes for these; a test does not. Everything else runs as it is printed.
QUICKER = {
    "--budget 5m": "--budget 5s",
    "study quickstart": "study quickstart --quick",
    'data="digits", seeds=3': 'data="digits", seeds=2, quick=True',
}


def blocks(language: str) -> list[str]:
    """Return the blocks of README.md in a language, in order."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def quicker(code: str) -> str:
    """Return the code with what takes minutes replaced, by `QUICKER` and nothing else."""
    for slow, quick in QUICKER.items():
        code = code.replace(slow, quick)
    return code
