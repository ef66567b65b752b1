"""The pages that people read, and what of them is prose."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"

_FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.DOTALL | re.MULTILINE)
_REGION = re.compile(r"<!-- table: .*?<!-- end -->", re.DOTALL)  # made from records
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+", re.MULTILINE)
_SHORT = re.compile(r"\b(e\.g|i\.e|cf|vs|al|approx)\.", re.IGNORECASE)
_END = re.compile(r"(?<=[.!?:;])[)\"*]*\s+(?=[\"(*]*[A-Z0-9])|\n\s*\n|(?<=[;:])\s+")


def pages() -> list[Path]:
    """Return README.md, the pages at the top, and those of docs/ that are not generated."""
    top = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    own = [p for p in DOCS.rglob("*.md") if "reference" not in p.relative_to(DOCS).parts]
    return sorted(top + own)


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def without_code(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("\n\n", text)


def sentences(text: str) -> list[str]:
    """Split a page's prose into sentences; a heading, an item and a table cell stand alone.

    Code counts as one word. A colon or a semicolon ends a sentence, as a list often follows.
    """
    text = _REGION.sub("\n\n", without_code(text))
    text = _LINK.sub(r"\1", _CODE.sub("code", text))
    text = _SHORT.sub(r"\1", text)
    found = []
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith("|"):
            pieces = [cell for line in block.splitlines() for cell in line.strip("| ").split("|")]
        else:
            pieces = _ITEM.sub("\n\n", re.sub(r"^#+ .*$", "\n\n", block, flags=re.MULTILINE))
            pieces = re.split(r"\n\s*\n", pieces)
        found += [s for piece in pieces for s in _END.split(piece)]
    return [" ".join(sentence.split()) for sentence in found if sentence and sentence.strip()]


def words(sentence: str) -> int:
    """Count words; numbers and signs that stand alone are none."""
    return len([word for word in sentence.split() if re.search(r"[A-Za-z]", word)])
