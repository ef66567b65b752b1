"""Links lead to pages and headings that exist, and paths that a page names are there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
GENERATED = DOCS / "reference"  # made by `make docs`; test_site.py follows links into it
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if page.parent != GENERATED),
]
ROOTS = (REPOSITORY, REPOSITORY / "src" / "hundredfold", REPOSITORY / "tests", DOCS)
# What a reader or a build makes:
READERS = ("my_", "photos/", "runs/", "weights/", "build/", "docs/reference/")

FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|toml|md|json|sh|yml)|(?:[\w.-]+/){2,})`")


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    heads = re.findall(r"^#+ +(.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).strip().lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in plain}


def broken(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target.is_relative_to(GENERATED):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_internal_link_leads_somewhere(page):
    assert broken(page) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text("utf-8")
    added = set(re.findall(r"^\+\+\+ b/(.*)$", text, re.MULTILINE))  # by a diff on the page
    named = [p for p in PATH.findall(FENCE.sub("", text)) if not p.startswith(READERS)]
    assert [p for p in named if p not in added and not any((r / p).exists() for r in ROOTS)] == []


def test_decisions_are_numbered_without_a_gap():
    files = sorted((DOCS / "decisions").glob("*.md"))
    heads = [file.read_text("utf-8").partition(".")[0] for file in files]
    assert heads == [f"# {int(file.name[:4])}" for file in files]
    assert heads == [f"# {number}" for number in range(1, len(files) + 1)]


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `head`, ok\n\n[a](other.md) [b](#a-head-ok) [c](#no) [d](https://x.org)\n")
    assert broken(page) == ["other.md", "#no"]
