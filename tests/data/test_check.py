"""`hundredfold data`: what it finds, what it prints, what it draws."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold import cli, duplicates
from hundredfold.cli.data import app, check, fetch
from hundredfold.data import _check
from hundredfold.errors import UsageError


def check_folder(root: Path) -> dict[str, Any]:
    return _check.check_folder(root, root.parent / "cache")


def test_a_sound_folder_has_no_problems(photos) -> None:
    report = check_folder(photos({"train/a": 3, "train/b": 4, "test/a": 1, "test/b": 1}))
    assert report["images"] == {"train": 7, "test": 2}
    assert report["classes"]["train"] == {"a": 3, "b": 4}
    assert report["sizes"]["median"] == [16, 16]
    assert (report["problems"], report["advice"], report["bad"]) == ([], [], [])


def test_all_unreadable_files_are_listed_with_a_reason(photos) -> None:
    root = photos({"a": 3, "b": 3})
    (root / "a" / "1.png").write_bytes(b"no image")
    (root / "b" / "2.png").write_bytes((root / "b" / "0.png").read_bytes()[:300])
    report = check_folder(root)
    assert [bad["file"] for bad in report["bad"]] == ["a/1.png", "b/2.png"]
    assert report["bad"][0]["reason"].startswith("it is not a JPEG")
    assert report["problems"] == [], "training leaves them out"


def test_every_file_is_used_left_out_or_passed_over(photos) -> None:
    root = photos({"train/a": 3, "train/b": 3})
    (root / "train" / "a" / "1.png").write_bytes(b"no image")
    for name in (
        "notes.txt",
        "train/a/Thumbs.DB",
        "train/loose.jpg",
        "train/.hidden.png",
        "README",
    ):
        (root / name).write_text("x")
    files = check_folder(root)["files"]
    assert files["used"] == 5
    assert [fact["file"] for fact in files["left_out"]] == ["train/a/1.png"]
    assert files["passed_over"] == {
        ".db": 1, ".txt": 1, "hidden": 1, "image without a class": 1, "without a suffix": 1,
    }  # fmt: skip


def test_empty_single_uneven_and_unknown_classes_are_told(photos) -> None:
    report = check_folder(photos({"train/a": 30, "train/b": 1, "train/c": 0, "test/d": 1}))
    assert (report["empty"], report["single"]) == (["c"], ["b"])
    assert report["imbalance"] == 30
    assert report["problems"] == ["'c' has no training images"]
    assert any("'d' is in the test part" in text for text in report["advice"])
    assert any("imbalanced (30 to 1)" in text for text in report["advice"])


def test_names_that_are_almost_the_same_are_told(photos) -> None:
    nfc, nfd = (unicodedata.normalize(form, "CAFÉ") for form in ("NFC", "NFD"))
    root = photos({"train/Cat": 2, "train/dog": 2, f"train/{nfc}": 2, f"train/{nfc.lower()}": 2})
    for name in ("cat", nfd):
        (root / "train" / name).mkdir(exist_ok=True)
    (root / "train" / nfd).rmdir()
    assert check_folder(root)["alike_names"] == [[nfc, nfc.lower()], ["Cat", "cat"]]


def test_equal_pixels_are_found_whatever_the_file(photos) -> None:
    root = photos({"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2})
    image = Image.open(root / "train" / "a" / "0.png")
    for name in ("train/a/copy.bmp", "train/b/copy.tiff", "test/a/copy.gif.png"):
        image.save(root / name)
    same = check_folder(root)["duplicates"]
    train = ["train/a/0.png", "train/a/copy.bmp", "train/b/copy.tiff"]
    assert same["within"] == [train]
    assert [sorted(names) for names in same["across"]] == [["test/a/copy.gif.png", *train]]
    assert len(same["contradicting"]) == 1


def test_near_duplicates_are_told_apart_from_equal_ones(photos) -> None:
    root = photos({"train/a": 30, "train/b": 30, "test/a": 5, "test/b": 5}, size=48)
    for file in root.rglob("*.png"):  # pictures rather than noise
        image = Image.open(file).resize((14, 14)).resize((48, 48), Image.Resampling.BICUBIC)
        image.save(file)
    first = Image.open(root / "train/a/0.png")
    first.save(root / "test/a/equal.png")
    first.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "test/a/mirror.png")
    first.save(root / "train/b/encoded.jpg", quality=80)
    first.crop((2, 1, 46, 45)).resize((48, 48), Image.Resampling.BICUBIC).save(
        root / "train/a/crop.png"
    )
    near = check_folder(root)["near"]
    pairs = {kind: {frozenset(p["files"]) for p in some} for kind, some in near.items()}
    of = {"train/a/0.png", "train/b/encoded.jpg", "train/a/crop.png"}
    others = {"test/a/equal.png", "test/a/mirror.png"}
    assert {frozenset(of - {name}) for name in of} | {frozenset(others)} == pairs["within"]
    assert frozenset(("train/a/0.png", "test/a/mirror.png")) in pairs["across"]
    assert all(pair <= of | others for some in pairs.values() for pair in some)
    assert frozenset(("train/a/0.png", "test/a/equal.png")) not in pairs["across"]
    assert frozenset(("train/a/0.png", "train/b/encoded.jpg")) in pairs["contradicting"]


def test_a_users_folder_is_not_written_to_by_a_check(photos) -> None:
    root = photos({"train/a": 3, "train/b": 3, "test/a": 2})

    def state() -> list[tuple[str, int, bytes]]:
        return [(str(f), f.stat().st_mtime_ns, f.read_bytes() if f.is_file() else b"")
                for f in sorted(root.rglob("*"))]  # fmt: skip

    before = state()
    check_folder(root)
    assert state() == before


def test_a_data_set_by_name_is_checked_too() -> None:
    report = check("shapes(images=5)", json=True)
    assert report["images"] == {"train": 500, "test": 100}
    assert report["exit_code"] == 0


@pytest.mark.real_data
def test_ten_test_images_of_cifar100_are_in_its_training_part(
    real_cifar100: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "find_within", lambda *_: None)  # a minute and a half
    report = check("cifar100", data_dir=real_cifar100, json=True)
    assert report["near"] is None
    across = {name for names in report["duplicates"]["across"] for name in names}
    assert sum(name.startswith("test[") for name in across) == 10


def test_bad_files_are_printed_and_left_out(photos, capsys: pytest.CaptureFixture[str]) -> None:
    root = photos({"a": 3, "b": 3})
    (root / "a" / "1.png").write_bytes(b"no image")
    assert check(str(root))["exit_code"] == 0
    printed = capsys.readouterr().out
    assert "unreadable: a/1.png: it is not a JPEG" in printed
    assert "ready to train, without 1 unreadable file" in printed


def _break(root: Path, *names: str) -> None:
    for name in names:
        (root / name).write_bytes(b"no image")


FOLDERS: dict[str, tuple[dict[str, int], tuple[str, ...]]] = {
    "sound": ({"a": 3, "b": 3}, ()),
    "one file unreadable": ({"a": 3, "b": 3}, ("a/0.png",)),
    "a class unreadable": ({"a": 3, "b": 1}, ("b/0.png",)),
    "an empty class": ({"a": 3, "b": 0}, ()),
    "one class": ({"a": 3}, ()),
    "one image a class": ({"a": 1, "b": 1}, ()),
    "one image a class, validation apart": (
        {"train/a": 1, "train/b": 1, "val/a": 1, "val/b": 1}, ()),
    "an unknown class in validation": ({"train/a": 3, "train/b": 3, "val/c": 1}, ()),
    "an unknown class in test": ({"train/a": 3, "train/b": 3, "test/c": 1}, ()),
    "an empty validation part": ({"train/a": 3, "train/b": 3, "val/a": 0}, ()),
    "an unreadable test part": ({"train/a": 3, "train/b": 3, "test/a": 1}, ("test/a/0.png",)),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDERS)
def test_a_check_fails_exactly_where_training_refuses(
    photos, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    counts, broken = FOLDERS[case]
    root = photos(counts)
    _break(root, *broken)
    checked = check(str(root))["exit_code"]
    trained = cli.main(["train", "--data", str(root), "--epochs", "1", "--threads", "1"])
    assert (checked != 0) == (trained != 0), trained


def test_json_prints_nothing_itself(photos, capfd: pytest.CaptureFixture[str]) -> None:
    import json

    json.dumps(check(str(photos({"a": 3, "b": 3})), json=True))
    json.dumps(fetch("digits", json=True))
    assert capfd.readouterr().out == ""


def test_fetch_prepares_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch("digits")["images"] == {"train": 1438, "test": 359}
    assert "1,438 train, 359 test images, 10 classes" in capsys.readouterr().out


def test_the_command_line_reads_its_options(photos, tmp_path: Path) -> None:
    words = ["check", str(photos({"a": 9, "b": 9})), "--json", "--preview", str(tmp_path / "p.png")]
    report: dict[str, Any] = app(words, result_action="return_value")
    assert report["preview"] == str(tmp_path / "p.png")


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        check(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="no data set is called 'cifar1000'") as caught:
        check("cifar1000")
    assert "cifar100" in str(caught.value.remedy)


def test_a_preview_shows_a_class_in_each_row(tmp_path: Path) -> None:
    check("shapes(images=9, classes=8, noise=0)", preview=tmp_path / "p.png", json=True)
    page = np.asarray(Image.open(tmp_path / "p.png"))
    assert page.shape == (8 * 66 - 2, 9 * 66 - 2, 3)
    cells = [page[66 * r : 66 * r + 64, 66 * c : 66 * c + 64] for r in range(8) for c in range(9)]
    assert len({cell.tobytes() for cell in cells}) == 72
    assert all((cell[::2, ::2] == cell[1::2, 1::2]).all() for cell in cells)


def test_a_preview_of_augment_shows_the_image_and_what_becomes_of_it(tmp_path: Path) -> None:
    check("shapes(images=2)", augment="flip", preview=tmp_path / "p.png", json=True)
    page = np.asarray(Image.open(tmp_path / "p.png"))
    for row in range(8):
        cells = [page[66 * row : 66 * row + 64, 66 * c : 66 * c + 64] for c in range(9)]
        original, flipped = cells[0].tobytes(), cells[0][:, ::-1].tobytes()
        assert {cell.tobytes() for cell in cells[1:]} <= {original, flipped}
    assert len({page[:64, 66 * c : 66 * c + 64].tobytes() for c in range(9)}) == 2
