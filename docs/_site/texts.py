"""Pages of the site that stand at the top of the repository: changes and contributing."""

import re
from pathlib import Path

_LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s]+)(?=\))")


def pages(repository: Path) -> dict[str, str]:
    """Return both pages by name, with links that hold from docs/reference/."""
    files = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}
    return {name: _moved((repository / file).read_text("utf-8")) for name, file in files.items()}


def _moved(text: str) -> str:
    """Return a text of the repository's top folder as it reads two folders below."""
    return _LINK.sub(lambda link: _relative(link[1]), text)


def _relative(link: str) -> str:
    page = link.startswith("docs/") and link.endswith(".md")
    return f"../{link.removeprefix('docs/')}" if page else f"../../{link}"
