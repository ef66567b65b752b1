"""Every file below a folder is used, left out or passed over; parts by other names are told."""

import os
import random
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import Source, _check, _walk, images_below, load
from hundredfold.data._part_names import part_like
from hundredfold.errors import DataError

Photos = Callable[..., Path]
TEXT = "image_folder(size=8)"


def checked(path: Path) -> dict[str, dict]:
    return _check.check_folder(path, path.parent / "cache")


def notes(root: Path, tmp_path: Path) -> str:
    return "\n".join(load(TEXT, Source(folder=root, cache=tmp_path / "cache")).notes)


def every_file(root: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(root))


def accounted(files: dict) -> int:
    return files["used"] + len(files["left_out"]) + sum(files["passed_over"].values())


@pytest.mark.parametrize("seed", range(8))
def test_the_account_of_any_tree_adds_up(photos: Photos, seed: int) -> None:
    draw = random.Random(seed)
    top = ["train/", "train/", ""][seed % 3]
    root = photos({f"{top}a": 2, f"{top}b": 2}, size=8)
    picture = (root / f"{top}a" / "0.png").read_bytes()
    folders = [root, root / f"{top}a", root / f"{top}b"]
    names = ["sub", ".git", "__MACOSX", "lost+found", "$RECYCLE.BIN", "@eaDir", "holdout", "test"]
    for number in range(12):
        above = draw.choice(folders)
        folder = above / f"{draw.choice(names)}{'' if above != root else number}"
        folder.mkdir(exist_ok=True)
        folders.append(folder)
    for number in range(60):
        ending = draw.choice([".png", ".PNG", ".txt", "", ".heic", ".avif", ".jpg", ".a.b"])
        name = f"{draw.choice(['', '', '', '.'])}{number}{ending}"
        content = draw.choice([picture, picture, b"no image", b""])
        (draw.choice(folders) / name).write_bytes(content)
    (root / f"{top}a" / "self.png").symlink_to("self.png")
    (root / f"{top}b" / "dangling.png").symlink_to("nothing")
    (root / f"{top}b" / "same.png").symlink_to("0.png")
    (root / f"{top}b" / "up").symlink_to("..")
    os.mkfifo(root / f"{top}a" / "pipe.jpg")
    assert accounted(checked(root)["files"]) == every_file(root)


def test_an_account_of_other_sources_adds_up(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 4, ".cache": 2, "other": 3}, size=8)
    (root / "notes.txt").write_text("x")
    table = root / "labels.csv"
    rows = [f"{c}/{k}.png,{c}" for c in "ab" for k in range(4)]
    table.write_text("\n".join(["file,label", *rows]))
    files = checked(table)["files"]
    assert files["passed_over"]["image that the table does not name"] == 3
    assert accounted(files) == every_file(root)
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as stream:
        for file in root.rglob("*.*"):
            if file.is_file():
                stream.write(file, f"top/{file.relative_to(root)}")
        stream.writestr("__MACOSX/top/a/._0.png", "x")
    assert accounted(checked(packed)["files"]) == every_file(root) + 1


def test_what_is_passed_over_is_said_before_training(photos: Photos, tmp_path: Path) -> None:
    root = photos({"train/a": 2, "train/b": 2, "train": 3, "dev/a": 2, "holdout/a": 1, "test": 4})
    for number in range(5):
        (root / "train" / "a" / f"{number}.JP2").write_bytes(b"x")
    (root / "train" / "a" / "noext").write_bytes(b"x")
    text = notes(root, tmp_path)
    assert "passed over 5 .jp2 files; to use them, save them as PNG or JPEG" in text
    assert "passed over 2 images in the folder 'dev'" in text
    assert "passed over 1 image in the folder 'holdout'" in text
    assert "passed over 7 images without a class" in text, "in train and in test"
    assert "passed over 1 file without a suffix" in text


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"cats/train": 2, "cats/test": 1, "dogs/train": 2, "dogs/test": 1}, "holds parts"),
        ({"cats": 2, "cats/test": 1, "dogs": 2, "dogs/test": 1}, "holds parts"),
        ({"train/cats/train": 2, "train/cats/val": 1, "train/dogs": 2}, "holds parts"),
        ({"set/train/a": 2, "set/test/b": 2}, "holds one folder, 'set'"),
        ({"training_set/a": 2, "test_set/a": 2}, "look like parts"),
        ({"dev/a": 2, "dev/b": 2, "holdout/a": 2, "holdout/b": 2}, "look like parts"),
        ({"a": 2, "b": 2, "fold7/a": 2, "fold7/b": 2}, "called like the classes"),
        ({"car": 2, "plane": 2, "train/steam": 2, "train/diesel": 2}, "class folders beside"),
        ({"a": 2, "b": 2, "test/a": 1, "test/b": 1}, "no training images"),
    ],
)
def test_parts_in_another_order_are_refused(
    photos: Photos, tmp_path: Path, counts: dict[str, int], message: str
) -> None:
    root = photos(counts)
    with pytest.raises(DataError, match=message) as caught:
        notes(root, tmp_path)
    assert caught.value.remedy
    with pytest.raises(DataError, match=message):
        checked(root)


def test_a_class_called_like_a_part_is_noted(photos: Photos, tmp_path: Path) -> None:
    text = notes(photos({"cats": 3, "dogs": 3, "test": 3}), tmp_path)
    assert "the folder 'test' is taken for a class" in text


@pytest.mark.parametrize(
    ("name", "part"),
    [("Validation set", "validation"), ("test2017", "test"), ("hold-out", "test"),
     ("dev", "validation"), ("train_images", "train"), ("TestSet", "test"),
     ("trains", ""), ("testers", ""), ("cats", ""), ("test drive", "")],
)  # fmt: skip
def test_names_of_parts_are_recognised(name: str, part: str) -> None:
    assert part_like(name) == part


def test_what_is_no_regular_file_is_left_out_and_never_opened(
    photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = photos({"a": 2, "b": 2})
    os.mkfifo(root / "a" / "pipe.jpg")
    monkeypatch.chdir(root / "a")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.png")
    (root / "b" / "self.png").symlink_to("self.png")
    (root / "b" / "gone.png").symlink_to("nowhere")
    (root / "b" / "pipe.png").symlink_to("../a/pipe.jpg")
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest: (opened.append(str(path)), real(path, *rest))[1]
    )
    left_out = {fact["file"]: fact["reason"] for fact in checked(root)["files"]["left_out"]}
    assert left_out == {
        "a/pipe.jpg": "it is not a regular file",
        "a/socket.png": "it is not a regular file",
        "b/gone.png": "no such file or directory",
        "b/pipe.png": "it is not a regular file",
        "b/self.png": "it is a link to itself",
    }
    assert not [path for path in opened if path.endswith(("pipe.jpg", "socket.png", "pipe.png"))]
    assert "left out 5 of 9 files" in notes(root, tmp_path)


@pytest.mark.parametrize(("highest", "noted"), [(1023, True), (4095, True), (65535, False)])
def test_16_bit_images_of_few_grey_levels_are_noted(
    photos: Photos, tmp_path: Path, highest: int, noted: bool
) -> None:
    root = photos({"a": 0, "b": 0})
    for name in ("a/0", "a/1", "b/0", "b/1"):
        grey = np.random.default_rng(len(name)).integers(0, highest, (16, 16), np.uint16)
        grey[0, 0] = highest
        Image.fromarray(grey).save(root / f"{name}.png")
    said = f"16-bit images use grey levels up to {highest:,} of 65,535"
    assert (said in notes(root, tmp_path)) == noted
    assert any(note.startswith(said) for note in checked(root)["notes"]) == noted


def test_a_link_that_leads_out_of_what_is_passed_over_does_not_matter(
    photos: Photos, tmp_path: Path
) -> None:
    root = photos({"train/a": 2, "train/b": 2, "holdout/a": 1})
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.png")
    (root / "holdout" / "a" / "out.png").symlink_to(tmp_path / "outside.png")
    (root / "train" / "a" / "README").symlink_to(tmp_path / "outside.png")
    assert "passed over 2 images in the folder 'holdout'" in notes(root, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have text for file names")
def test_names_that_are_no_text_stay_different(photos: Photos, tmp_path: Path) -> None:
    root = photos({os.fsdecode(b"a\xe4"): 2, os.fsdecode(b"a\xf6"): 2})
    odd = root.rename(root.with_name(os.fsdecode(b"Fr\xfcchte")))
    data = load(TEXT, Source(folder=odd, cache=tmp_path / "cache"))
    assert (data.name, data.classes) == (r"Fr\xfcchte", (r"a\xe4", r"a\xf6"))
    ("\n".join((*data.notes, *data.classes))).encode()


def test_a_walk_is_remembered_until_a_folder_changes(photos: Photos) -> None:
    root = photos({"a": 2, "b/c": 2})
    _walk._known.clear()
    assert _walk.walk(root) is not _walk.walk(root), "just written: a change could go unseen"
    for folder in (root, root / "a", root / "b", root / "b" / "c"):
        os.utime(folder, (1e9, 1e9))
    first = _walk.walk(root)
    assert _walk.walk(root) is first
    (root / "b" / "c" / "0.png").unlink()
    assert _walk.walk(root).count() == first.count() - 1


def test_a_deep_tree_is_walked(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(300):
        folder = folder / "d"
        folder.mkdir()
    Image.new("RGB", (9, 9)).save(folder / "0.png")
    assert len(images_below(tmp_path)[0]) == 1
