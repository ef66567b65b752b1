"""Every promise of the pages on reliability names a test, and every test that is named exists."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = ("reliability.md", "reliability-data.md")


def _rows(page: str) -> list[list[str]]:
    """Return the cells of each promise in the tables of a page."""
    rows, promises = [], False
    for line in (_ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            promises = False
        elif cells[0] == "promise":
            promises = True
        elif promises and set(line) - set("|- "):
            rows.append(cells)
    return rows


@pytest.mark.parametrize("page", _PAGES)
def test_every_promise_names_its_test(page: str) -> None:
    rows = _rows(page)
    assert len(rows) > 10
    assert [cells[0] for cells in rows if not cells[-1]] == []


def test_every_test_that_is_named_exists() -> None:
    for cells in _rows("reliability.md"):
        named = re.findall(r"`([\w/]+\.py)`", cells[-1])
        assert named, cells[0]
        missing = [name for name in named if not (_ROOT / "tests" / name).is_file()]
        assert missing == [], cells[0]
