"""No cell of a CSV is a formula to a spreadsheet, and each reads back as it was."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hundredfold import csv_cells, data
from hundredfold.data import Source, Suspect, write_suspects

FORMULAS = ["=1+1", "@SUM(A1)", "+1", "-2", "\tx", "\rx", "\n=x", "＝1", "＋1", "'=1", "''@a"]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_like_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert csv_cells.neutral(text) == f"'{text}"
    assert csv_cells.original(f"'{text}") == text


@pytest.mark.parametrize("cell", ["cat", "", "'quoted'", "a=b", "1-2", "'", -2, 0.5, None])
def test_other_cells_stay(cell: object) -> None:
    assert csv_cells.neutral(cell) is cell


@given(st.lists(st.text(alphabet="'=+-@\t\n\r, \"ａx"), min_size=1))
def test_every_cell_reads_back(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_cells.text([[*cells, "end"]]), newline=""))
    assert [csv_cells.original(cell) for cell in row[:-1]] == cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_corrected_labels_are_read_from_our_own_cells(tmp_path: Path) -> None:
    classes = ["=1+1", "'=1+1", "-2", "plain"]
    for number, name in enumerate(classes):
        (tmp_path / "d" / name).mkdir(parents=True)
        for image in range(3):
            shade = (60 * number, 80 * image, 0)
            Image.new("RGB", (8, 8), shade).save(tmp_path / "d" / name / f"{image}.png")
    suspects = [
        Suspect(f"{name}/{image}.png", "train", name, name, 0.5)
        for name in classes
        for image in range(3)
    ]
    listed = tmp_path / "suspects.csv"
    write_suspects(listed, suspects)
    assert "\n-" not in listed.read_text() and "\n=" not in listed.read_text()
    source = Source(cache=tmp_path / "cache", folder=tmp_path / "d")
    part, source = data.pin_labels(
        data.spec.part(f"image_folder(size=8, labels={str(listed)!r})", "hundredfold.data"), source
    )
    assert set(data.load(part, source).classes) == set(classes)
