"""Links lead to pages and headings that exist, and paths that a page names are there."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import pages

sys.path.pop(0)

SOURCE = pages.REPOSITORY / "src" / "hundredfold"
GENERATED = pages.DOCS / "reference"  # made by `make docs`; test_site.py looks there
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|toml|md|json|sh|yml)|(?:[\w.-]+/){2,})`")
PLACES = (pages.REPOSITORY, SOURCE, pages.REPOSITORY / "tests", pages.DOCS)
EXAMPLES = ("my_", "photos/", "runs/", "weights/", "build/")  # files of a reader, or of a build


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    heads = re.findall(r"^#+ +(.*)$", pages.without_code(page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", head).strip().lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in plain}


def broken(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(pages.without_code(page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target.is_relative_to(GENERATED):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_every_internal_link_leads_somewhere(page):
    assert broken(page) == []


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_every_path_that_a_page_names_exists(page):
    named = PATH.findall(pages.without_code(page.read_text("utf-8")))
    own = [path for path in named if not path.startswith(EXAMPLES)]
    assert [p for p in own if not any((place / p).exists() for place in PLACES)] == []


def test_every_decision_is_numbered_once_and_without_a_gap():
    files = sorted((pages.DOCS / "decisions").glob("*.md"))
    heads = [int(re.match(r"# (\d+)\. ", f.read_text("utf-8"))[1]) for f in files]
    assert heads == [int(f.name[:4]) for f in files] == list(range(1, len(files) + 1))


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A head\n\n[a](other.md) [b](#a-head) [c](#none) [d](https://x.org)\n")
    assert broken(page) == ["other.md", "#none"]
