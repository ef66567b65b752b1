import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hundredfold.data import Source, for_validation, load, training
from hundredfold.errors import UsageError


def at(folder: Path, tmp_path: Path) -> Source:
    return Source(folder=folder, cache=tmp_path / "cache", offline=True)


def drawn(root: Path, tmp_path: Path, subset: int, part: str = "train") -> list[str]:
    data = load(f"image_folder(size=8, subset={subset})", at(root, tmp_path))
    return list(data.parts[part]().names)


def test_a_subset_has_every_class_in_proportion(photos, tmp_path: Path) -> None:
    root = photos({"cats": 20, "dogs": 60, "owls": 2})
    counts = Counter(name.split("/")[0] for name in drawn(root, tmp_path, 21))
    assert counts == {"cats": 5, "dogs": 15, "owls": 2}  # two of a rare class, to split


def test_a_smaller_subset_lies_within_a_larger_one(photos, tmp_path: Path) -> None:
    root = photos({"cats": 20, "dogs": 60})
    small, large = (drawn(root, tmp_path, n) for n in (12, 40))
    assert set(small) < set(large)
    assert large == sorted(large)
    assert len(set(drawn(root, tmp_path, 0))) == len(drawn(root, tmp_path, 80)) == 80


def test_other_files_do_not_change_who_is_drawn(photos, tmp_path: Path) -> None:
    root = photos({"cats": 20, "dogs": 20})
    before = set(drawn(root, tmp_path, 20))
    for other in sorted({f"cats/{n}.png" for n in range(20)} - before):
        (root / other).unlink()  # leaves ten cats: all of those that were drawn
    assert set(drawn(root, tmp_path, 29)) >= {name for name in before if name.startswith("cats")}


def test_a_small_part_for_validation_stays_whole() -> None:
    assert for_validation(100, 1000, 300) == 300
    assert for_validation(100, 1000, 30_000) == 3000
    assert for_validation(10, 1000, 30_000) == 1000
    assert for_validation(0, 1000, 30_000) == for_validation(1000, 1000, 30_000) == 30_000


def test_the_other_files_are_not_opened(
    photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hundredfold.data._subset.LEAST_VALIDATION", 5)
    root = photos({"train/a": 10, "train/b": 10, "val/a": 10, "val/b": 10})
    data = load("image_folder(size=8, subset=10)", at(root, tmp_path))
    split, validation = training(data)
    assert (len(split), len(validation)) == (10, 10)
    kept = {*split.names, *validation.names}
    others = [f for f in root.rglob("*.png") if f.relative_to(root).as_posix() not in kept]
    assert len(others) == 20
    for file in others:
        file.write_bytes(b"poison")
    again = load("image_folder(size=8, subset=10)", at(root, tmp_path / "elsewhere"))
    assert again.digest == data.digest
    assert again.notes == data.notes


def test_the_test_part_stays_whole(photos, tmp_path: Path) -> None:
    root = photos({"train/a": 10, "train/b": 10, "test/a": 9, "test/b": 9})
    assert len(drawn(root, tmp_path, 4, "test")) == 18


def test_a_subset_larger_than_the_folder_is_the_folder(photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 4})
    whole, more = (load(f"image_folder(size=8{t})", at(root, tmp_path)) for t in ("", ", subset=9"))
    assert whole.digest == more.digest
    assert np.array_equal(whole.parts["train"]().pixels, more.parts["train"]().pixels)


def test_a_negative_subset_is_refused(photos, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="subset=-1"):
        drawn(photos({"a": 2, "b": 2}), tmp_path, -1)


def test_a_subset_of_any_source_is_that_of_its_folder(photos, tmp_path: Path) -> None:
    root = photos({"cats": 20, "dogs": 30})
    files = sorted(root.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    lines = [f"{file.relative_to(root).as_posix()},{file.parent.name}" for file in files]
    (root / "labels.csv").write_text("\n".join(["file,label", *lines]))
    expected = drawn(root, tmp_path, 15)
    assert len(expected) == 15
    assert drawn(root / "labels.csv", tmp_path, 15) == expected
    assert drawn(tmp_path / "photos.zip", tmp_path, 15) == expected


@pytest.mark.parametrize("store", ["pixels", "jpeg"])
def test_a_subset_leaves_the_cut_off_test_part_alone(photos, tmp_path: Path, store: str) -> None:
    root = photos({"cats": 20, "dogs": 20})
    few, all_of_them = (
        load(f"image_folder(size=8, test=0.25, store='{store}'{text})", at(root, tmp_path))
        for text in (", subset=8", "")
    )
    train, whole = (data.parts["train"]() for data in (few, all_of_them))
    test = few.parts["test"]()
    assert test.names == all_of_them.parts["test"]().names
    assert len(train) == 8 and set(train.names) < set(whole.names)
    assert not set(train.names) & set(test.names)
    assert train.pixels[[0, 1]].shape == (2, 8, 8, 3)


def test_groups_of_a_subset_stay_within_one_split_when_packed(photos, tmp_path: Path) -> None:
    root = photos({"cats": 20, "dogs": 20})
    text = "image_folder(size=8, subset=20, group='{group}#', store='jpeg')"
    for file in root.rglob("*.png"):  # ten scenes of two images in each class
        number = int(file.stem)
        file.rename(file.with_name(f"{file.parent.name}s{'abcdefghij'[number // 2]}{number}.png"))
    kept, cut = training(load(text, at(root, tmp_path)), share=0.2)
    assert kept.groups is not None and len(kept) + len(cut) == 20
    assert not {*kept.groups[kept.indices]} & {*kept.groups[cut.indices]}
