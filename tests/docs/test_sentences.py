"""No sentence of a page is longer than 40 words; the aim is 25."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if page.parent.name != "reference"),
]
LONGEST = 40

FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.DOTALL | re.MULTILINE)
REGION = re.compile(r"<!-- table: .*?<!-- end -->", re.DOTALL)  # made from records
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
ALONE = re.compile(r"^#+ .*$|^\s*(?:[-*+]|\d+\.)\s+", re.MULTILINE)  # headings; marks of items
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|cf|vs|al)\.", re.IGNORECASE)
END = re.compile(r"(?<=[.!?])[)\"*]*\s+(?=[\"(*]*[A-Z0-9])|(?<=[;:])\s+")


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def sentences(text: str) -> list[str]:
    """Split a page's prose into sentences; an item and a table's cell stand alone.

    Code is one word. A colon or a semicolon ends a sentence, as a list often follows.
    """
    text = REGION.sub("\n\n", FENCE.sub("\n\n", text))
    text = LINK.sub(r"\1", re.sub(r"`[^`\n]+`", "Code", text))
    text = ABBREVIATION.sub(r"\1", text)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", ALONE.sub("\n\n", text)):
        rows = block.strip().startswith("|")
        pieces = re.split(r"[|\n]", block) if rows else [block]
        found += [sentence for piece in pieces for sentence in END.split(piece)]
    return [" ".join(s.split()) for s in found if words(s)]


def words(sentence: str) -> int:
    """Count words; numbers and signs that stand alone are none."""
    return len([word for word in sentence.split() if re.search(r"[A-Za-z]", word)])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_sentence_is_too_long(page):
    long = [s for s in sentences(page.read_text("utf-8")) if words(s) > LONGEST]
    assert not long, "\n".join(f"{words(s)} words: {s}" for s in long)


def test_sentences_items_and_cells_are_told_apart():
    text = "# Head\n\nOne `a. B`. Two, e.g. three?\n`x` four\n\n- item one\n- item two\n\n"
    text += "| a b | c |\n|---|---|\n"
    found = ["One Code.", "Two, e.g three?", "Code four", "item one", "item two", "a b", "c"]
    assert sentences(text) == found


def test_code_blocks_and_tables_made_from_records_are_no_prose():
    many = "word " * 50
    assert sentences(f"```sh\n{many}\n```\n\n<!-- table: x -->\n{many}<!-- end -->") == []


def test_a_long_sentence_over_several_lines_is_counted_whole():
    (one,) = sentences("word " * 30 + "\n" + "word " * 15 + "end.")
    assert words(one) == 46
