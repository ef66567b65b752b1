"""A copy of the repository with the change of a page applied to it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Copy:
    """The copy's folder, and the files that the page's diff adds."""

    folder: Path
    added: list[str]

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python on the copy's sources and return what it printed; it has to succeed."""
        source = {"PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=os.environ | source,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def tests_pass(self, *arguments: str) -> int:
        """Run tests of the copy and return how many passed; none may fail."""
        done = self.python("-m", "pytest", *arguments, "-p", "no:cacheprovider")
        passed = re.search(r"(\d+) passed", done.stdout)
        return int(passed[1]) if passed else 0

    def is_tidy(self) -> None:
        """Check the style and the types of the files that were added."""
        pytest.importorskip("ruff")
        pytest.importorskip("mypy")
        self.python("-m", "ruff", "check", *self.added)
        self.python("-m", "ruff", "format", "--check", *self.added)
        sources = [file for file in self.added if file.startswith("src/")]
        self.python("-m", "mypy", "--follow-imports=silent", *sources)


@pytest.fixture(scope="module")
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy of sources and tests with the diff of the test module's PAGE applied."""
    if shutil.which("git") is None:
        pytest.skip("there is no git to apply the diff")
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("src", "tests", "recipes"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    text = (REPOSITORY / "docs" / request.module.PAGE).read_text(encoding="utf-8")
    [diff] = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=folder, env=alone, check=True)
    assert diff.count("diff --git") == diff.count("--- /dev/null"), "only new files"
    return Copy(folder, re.findall(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE))
