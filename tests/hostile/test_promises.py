"""The check of promises sees each one that is broken, and none where all were kept."""

import base64
import io
from pathlib import Path

import pytest
from hostile.case import COLOUR, SECRET, Case, digest, furnish_outside
from hostile.promises import End, broken
from PIL import Image

CASE = Case("x", ("runs",))
GOOD = End(0, 0.1, 0, False, b"a table\n", b"")
REFUSED = End(3, 0.1, 0, False, b"", b"error: cannot read 'x'\n  found: nothing\n")


def kinds(world: Path, end: End, changed: list[str], case: Case = CASE) -> list[str]:
    return [kind for kind, _ in broken(case, end, 0.1, changed, world)]


@pytest.mark.parametrize("end", [GOOD, REFUSED])
def test_a_command_that_keeps_every_promise_is_not_told(tmp_path: Path, end: End) -> None:
    assert kinds(tmp_path, end, []) == []


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("internal", {"code": 1, "stderr": b"error: internal error: KeyError: 'x'\n"}),
        ("internal", {"code": -11}),
        ("slow", {"seconds": 5.2}),
        ("slow", {"hung": True}),
        ("memory", {"bytes": (1 << 30) + 1}),
        ("words", {"stdout": b"\x1b]0;owned\x07"}),
        ("words", {"stdout": "\x9b31m".encode()}),
        ("words", {"code": 2, "stderr": b"error: " + b"x" * 3000}),
        ("words", {"code": 2, "stderr": b"error: " + b"x\n" * 30}),
        ("words", {"code": 2, "stderr": b""}),
        ("effects", {"stdout": SECRET.encode()}),
    ],
)
def test_each_broken_promise_is_told(tmp_path: Path, kind: str, changes: dict[str, object]) -> None:
    assert kinds(tmp_path, End(**(vars(GOOD) | changes)), []) == [kind]  # type: ignore[arg-type]


def test_a_formula_in_a_table_is_told(tmp_path: Path) -> None:
    predict = Case("x", ("predict", "a"))
    end = End(0, 0.1, 0, False, b"file,label,probability\na.png,'=1+1,-0.5\n", b"")
    assert kinds(tmp_path, end, [], predict) == []
    end = End(0, 0.1, 0, False, b"file,label\na.png,=1+1\n", b"")
    assert kinds(tmp_path, end, [], predict) == ["words"]


def test_json_that_is_none_is_told(tmp_path: Path) -> None:
    assert kinds(tmp_path, GOOD, [], Case("x", ("runs", "--json"))) == ["words"]


def test_what_lies_outside_is_seen_when_it_changes(tmp_path: Path) -> None:
    furnish_outside(tmp_path)
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    (tmp_path / "outside" / "notes.txt").write_text("other\n")
    (tmp_path / "outside" / "photos" / "a" / "new").symlink_to("0.png")
    after = digest(tmp_path)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"outside/notes.txt", "outside/photos/a/new"}


def test_a_change_is_told_unless_the_case_allows_it(tmp_path: Path) -> None:
    changed = ["here/runs/a/report.html"]
    assert kinds(tmp_path, GOOD, changed) == ["effects"]
    for allowed in ("here/runs/a", "here/runs/a/report.html", ""):
        assert kinds(tmp_path, GOOD, changed, Case("x", ("runs",), may_change=(allowed,))) == []
    for other in ("here/runs/b", "here/runs/a/rep"):
        case = Case("x", ("runs",), may_change=(other,))
        assert kinds(tmp_path, GOOD, changed, case) == ["effects"]


def test_a_picture_from_outside_is_seen_on_a_page(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), COLOUR).save(stream, "PNG")
    shown = base64.b64encode(stream.getvalue()).decode()
    page = tmp_path / "here" / "report.html"
    case = Case("x", ("report",), may_change=("here",))
    for text, told in (
        (f'<img src="data:image/png;base64,{shown}">', ["effects"]),
        ("<b><script>alert(1)</script></b>", ["effects"]),
        (f"<b>{SECRET}</b>", ["effects"]),
        ("<p>nothing</p>", []),
    ):
        page.write_text(text)
        assert kinds(tmp_path, GOOD, ["here/report.html"], case) == told
