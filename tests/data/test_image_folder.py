import hashlib
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import Source, _walk, check_folder, load, training
from hundredfold.errors import DataError, UsageError

TEXT = "image_folder(size=16)"


def at(folder: Path, tmp_path: Path) -> Source:
    return Source(folder=folder, cache=tmp_path / "cache", offline=True)


def test_a_flat_folder_is_all_training(photos, tmp_path: Path) -> None:
    root = photos({"cats": 10, "dogs": 20})
    data = load(TEXT, at(root, tmp_path))
    assert (data.name, data.classes, data.size) == ("photos", ("cats", "dogs"), 16)
    assert set(data.parts) == {"train"}
    train, validation = training(data)
    assert (len(train), len(validation)) == (27, 3)


def test_pixels_labels_and_names_belong_together(photos, tmp_path: Path) -> None:
    root = photos({"cats": 3, "dogs": 300})  # more than are decoded together
    split = load(TEXT, at(root, tmp_path)).parts["train"]()
    for row in (0, 2, 3, 200, 302):
        assert split.names[row].split("/")[0] == ("cats", "dogs")[split.labels[row]]
        assert np.array_equal(split.pixels[row], np.asarray(Image.open(root / split.names[row])))


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "Valid", "TESTING")])
def test_parts_are_understood_by_their_names(photos, tmp_path: Path, names) -> None:
    counts = dict(zip(names, (4, 2, 3), strict=True))
    root = photos({f"{part}/{c}": n for part, n in counts.items() for c in ("a", "b")})
    data = load(TEXT, at(root, tmp_path))
    lengths = {part: len(opened()) for part, opened in data.parts.items()}
    assert lengths == {"train": 8, "validation": 4, "test": 6}
    assert [len(split) for split in training(data)] == [8, 4]


def test_classes_may_be_called_train_and_test(photos, tmp_path: Path) -> None:
    data = load(TEXT, at(photos({"bus": 2, "train": 2, "test": 2}), tmp_path))
    assert data.classes == ("bus", "test", "train")


def test_classes_of_parts_are_matched_by_name(photos, tmp_path: Path) -> None:
    root = photos({"train/a": 2, "train/b": 2, "train/c": 2, "test/c": 1, "test/a": 1})
    data = load(TEXT, at(root, tmp_path))
    assert list(data.parts["test"]().labels) == [0, 2]


def test_accents_are_matched_in_either_form(photos, tmp_path: Path) -> None:
    name = "pâté"
    nfc, nfd = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    data = load(TEXT, at(photos({f"train/{nfd}": 2, "train/b": 2, f"test/{nfc}": 1}), tmp_path))
    assert data.classes == ("b", nfc)
    assert list(data.parts["test"]().labels) == [1]


def test_a_class_that_training_lacks_is_named_when_test_is_opened(photos, tmp_path: Path) -> None:
    root = photos({"train/cats": 2, "train/dogs": 2, "test/cat": 1})
    data = load(TEXT, at(root, tmp_path))
    with pytest.raises(DataError, match=r"test/cat is a class that") as caught:
        data.parts["test"]()
    assert "cats" in str(caught.value.remedy)


def test_test_images_change_nothing_in_training(photos, tmp_path: Path) -> None:
    root = photos({"train/a": 3, "train/b": 3, "test/a": 1, "test/b": 1})
    before = load(TEXT, at(root, tmp_path))
    (root / "test" / "a" / "0.png").write_bytes(b"poison")
    (root / "test" / "zebra").mkdir()
    after = load(TEXT, Source(folder=root, cache=tmp_path / "other", offline=True))
    assert before.digest == after.digest
    assert not list((tmp_path / "other").rglob("test"))
    (root / "test" / "zebra").rmdir()
    assert after.parts["test"]().names == ("test/b/0.png",)


def test_one_changed_image_changes_the_digest(photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 3})
    before = load(TEXT, at(root, tmp_path)).digest
    assert load(TEXT, at(root, tmp_path)).digest == before
    Image.new("RGB", (16, 16)).save(root / "a" / "0.png")
    assert load(TEXT, at(root, tmp_path)).digest != before


def test_a_users_folder_is_never_written_to(photos, tmp_path: Path) -> None:
    root = photos({"train/a": 3, "train/b": 3, "test/a": 2})

    def state() -> str:
        told = [(str(f), f.stat().st_mtime_ns, f.is_file() and f.read_bytes()) for f in
                sorted(root.rglob("*"))]  # fmt: skip
        return hashlib.sha256(repr(told).encode()).hexdigest()

    before = state()
    load(TEXT, at(root, tmp_path)).parts["test"]()
    assert state() == before


def test_what_is_no_image_is_passed_over(photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    for name in ("a/Thumbs.db", "a/.hidden.png", "notes.txt", "a/._0.png"):
        (root / name).write_bytes(b"x")
    for name in (".git", "__MACOSX"):
        (root / name).mkdir()
    (root / "a" / "more").mkdir()
    Image.new("RGB", (20, 20)).save(root / "a" / "more" / "DEEP.JPG")
    split = load(TEXT, at(root, tmp_path)).parts["train"]()
    assert split.names == ("a/0.png", "a/1.png", "a/more/DEEP.JPG", "b/0.png", "b/1.png")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "no folder"),
        ({"a": 0, "b": 0}, "no training images"),
        ({"a": 3}, "one class"),
        ({"a": 3, "b": 0}, "'b' has no images"),
        ({"train": 3, "test": 2}, "no training images"),
        ({"val/a": 1, "test/a": 2}, "no training images"),
        ({"train/a": 1, "train/b": 1, "training/a": 1}, "both the train part"),
        ({"train/a": 1, "train/b": 1, "val/a": 0}, "no validation images"),
        ({"train/a": 1, "train/b": 1, "val/c": 1}, "does not have"),
    ],
)
def test_a_folder_that_cannot_be_trained_on_is_one_sentence(
    photos, tmp_path: Path, counts: dict[str, int], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        load(TEXT, at(photos(counts), tmp_path))
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.message


def test_files_that_cannot_be_read_are_left_out_and_named(photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 300})
    for name in ("a/1.png", "b/0.png", "b/299.png", "b/77.png"):
        (root / name).write_bytes((root / name).read_bytes()[:200])
    for _ in range(2):  # decoded, and from the cache
        data = load(TEXT, at(root, tmp_path))
        split = data.parts["train"]()
        assert len(split) == len(split.pixels) == len(split.labels) == len(split.names) == 300
        for row in (0, 1, 3, 4, 150, 299):
            image = np.asarray(Image.open(root / split.names[row]))
            assert np.array_equal(split.pixels[row], image)
            assert split.names[row].split("/")[0] == data.classes[split.labels[row]]
        assert "left out 4 of 304 files" in data.notes[0]
        assert "a/1.png (" in data.notes[0] and "and 1 more" in data.notes[0]
        assert data.notes[-1] == f"see: hundredfold data check {root}"


def test_a_folder_less_its_bad_files_is_the_same_data(photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 4})
    (root / "b" / "1.png").write_bytes(b"no image")
    with_it = load(TEXT, at(root, tmp_path))
    (root / "b" / "1.png").unlink()
    without = load(TEXT, at(root, tmp_path))
    assert (with_it.digest, without.notes) == (without.digest, ())


def test_a_class_without_one_readable_image_is_refused(photos, tmp_path: Path) -> None:
    root = photos({"a": 3, "b": 1})
    (root / "b" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="no image of the class 'b'") as caught:
        load(TEXT, at(root, tmp_path))
    assert caught.value.remedy and "data check" in str(caught.value.see)


def test_what_is_odd_is_noted(photos, tmp_path: Path) -> None:
    root = photos({"train/a": 3, "train/b": 3, "train/c": 1, "val/a": 2, "val/b": 2})
    copied = (root / "train/a/0.png").read_bytes()
    for name in ("train/b/copy.png", "val/a/copy.png"):
        (root / name).write_bytes(copied)
    notes = "\n".join(load(TEXT, at(root, tmp_path)).notes)
    assert "1 class of one image only, trained on and never validated: 'c'" in notes
    assert "1 pair of images of one part that are the same" in notes
    assert "1 validation image that training sees too" in notes
    assert "of these pairs in two classes" in notes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have text for file names")
def test_a_file_name_that_is_no_text_is_no_obstacle(photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    (root / "a" / "0.png").rename(root / "a" / os.fsdecode(b"\xff.png"))
    assert r"a/\xff.png" in load(TEXT, at(root, tmp_path)).parts["train"]().names


@pytest.mark.parametrize("place", ["c", "a/inner"])
def test_links_to_folders_elsewhere_are_refused(photos, tmp_path: Path, place: str) -> None:
    root, outside = photos({"a": 2, "b": 2}), tmp_path / "outside"
    outside.mkdir()
    Image.new("RGB", (9, 9)).save(outside / "secret.png")
    (root / place).symlink_to(outside)
    with pytest.raises(DataError, match="is a link to a folder out of"):
        load(TEXT, at(root, tmp_path))


def test_links_to_images_elsewhere_are_used_and_the_others_left_out(photos, tmp_path: Path) -> None:
    root, outside = photos({"a": 2, "b": 2}), tmp_path / "outside"
    outside.mkdir()
    Image.new("RGB", (9, 9)).save(outside / "there.png")
    (outside / "hop.png").symlink_to("there.png")
    (outside / "words").write_text("no image")
    (outside / "one.png").symlink_to("two.png")
    (outside / "two.png").symlink_to("one.png")
    for name in ("there.png", "hop.png", "gone.png", "words", "one.png"):
        (root / "a" / f"{name.split('.')[0]}-link.png").symlink_to(outside / name)
    (root / "b" / "null.png").symlink_to("/dev/null")
    data = load(TEXT, at(root, tmp_path))
    names = [name for name in data.parts["train"]().names if "link" in name]
    assert names == ["a/hop-link.png", "a/there-link.png"]
    assert data.notes[0].startswith("left out 4 of 10 files")
    report = check_folder(root, tmp_path / "cache")
    assert report["files"]["used"] == 6
    assert {fact["file"] for fact in report["files"]["left_out"]} == {
        "a/gone-link.png", "a/one-link.png", "a/words-link.png", "b/null.png",
    }  # fmt: skip


def test_a_link_elsewhere_that_gets_another_image_is_another_part(photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    outside = tmp_path / "outside.png"
    (root / "a" / "link.png").symlink_to(outside)
    digests = set()
    for grey in (0, 255):
        Image.new("RGB", (9, 9), (grey, grey, grey)).save(outside)
        digests.add(load(TEXT, at(root, tmp_path)).digest)
    assert len(digests) == 2


def test_links_to_links_do_not_go_on_for_ever(photos, tmp_path: Path, monkeypatch) -> None:
    root = photos({"a": 2, "b": 2} | {f"b/{k}": 1 for k in range(12)})
    for k in range(11):
        for twin in "xy":
            (root / "b" / str(k) / twin).symlink_to(f"../{k + 1}")
    monkeypatch.setattr(_walk, "_MOST_LINKS", 50)
    with pytest.raises(DataError, match="over 50 links to folders"):
        load(TEXT, at(root, tmp_path))


def test_links_inside_the_folder_are_followed_without_end(photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    (root / "b" / "same.png").symlink_to(root / "a" / "0.png")
    (root / "a" / "again").symlink_to(root / "a")
    assert len(load(TEXT, at(root, tmp_path)).parts["train"]()) == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_one_sentence(photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2})
    (root / "a").chmod(0)
    with pytest.raises(DataError, match="cannot read"):
        load(TEXT, at(root, tmp_path))


def test_no_folder_given_is_a_matter_of_usage(source: Source) -> None:
    with pytest.raises(UsageError, match="needs a folder"):
        load(TEXT, source)
