"""Groups stay together, a cut test part is sealed and stable, corrected labels are kept apart."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hundredfold import data
from hundredfold.data import Source, _split, load, training
from hundredfold.errors import DataError, UsageError

Photos = Callable[..., Path]


@pytest.fixture
def patients(tmp_path: Path) -> Source:
    """Return a source of 12 patients with 5 images each, in two classes."""
    rng = np.random.default_rng(0)
    for patient in range(12):
        for scan in range(5):
            file = tmp_path / "scans" / "ab"[patient % 2] / f"p{patient}_{scan}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(file)
    return Source(folder=tmp_path / "scans", cache=tmp_path / "cache", offline=True)


def people(split: data.Split) -> set[str]:
    return {Path(split.names[row]).name.partition("_")[0] for row in split.indices}


@given(st.data())
def test_a_cut_never_separates_a_group_and_leaves_every_class(draw: st.DataObject) -> None:
    count = draw.draw(st.integers(2, 60))
    numbers = st.lists(st.integers(0, 9), min_size=count, max_size=count)
    groups = np.unique(draw.draw(numbers), return_inverse=True)[1]
    labels = np.unique(draw.draw(numbers), return_inverse=True)[1] % 4
    fraction, seed = draw.draw(st.floats(0.05, 0.9)), draw.draw(st.integers(0, 99))
    kept, cut = _split.grouped(labels, groups, fraction, seed)
    assert sorted([*kept, *cut]) == list(range(count))
    assert not set(groups[kept]) & set(groups[cut])
    assert set(labels[kept]) == set(labels)
    again = _split.grouped(labels, groups, fraction, seed)
    assert np.array_equal(cut, again[1])


def test_a_cut_of_groups_is_near_the_fraction_in_each_class() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(300), rng.integers(1, 9, 300))
    labels = (groups * 7 % 5).astype(np.int64)
    for seed in range(5):
        cut = _split.grouped(labels, groups, 0.1, seed)[1]
        shares = np.bincount(labels[cut], minlength=5) / np.bincount(labels)
        assert np.all(abs(shares - 0.1) < 0.03), shares


def test_groups_of_one_image_are_cut_as_images_are() -> None:
    labels = np.repeat(np.arange(4), 25)
    cut = _split.grouped(labels, np.arange(100), 0.2, 0)[1]
    assert list(np.bincount(labels[cut])) == [5, 5, 5, 5]


def test_a_patient_is_in_one_split_only(patients: Source) -> None:
    dataset = load("image_folder(size=16, group='{group}_*', test=0.2)", patients)
    train, validation = training(dataset, share=0.2)
    test = dataset.parts["test"]()
    sets = [people(split) for split in (train, validation, test)]
    assert all(sets) and sum(map(len, sets)) == 12
    assert len(train) + len(validation) + len(test) == 60
    for split in (train, validation, test):
        assert set(split.labels[split.indices]) == {0, 1}


def test_a_column_of_a_table_names_the_groups(patients: Source) -> None:
    assert patients.folder is not None
    files = sorted(patients.folder.rglob("*.png"))
    with (patients.folder / "t.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "who"])
        for file in files:
            name = file.relative_to(patients.folder).as_posix()
            writer.writerow([name, file.parent.name, file.name.partition("_")[0]])
    source = replace(patients, folder=patients.folder / "t.csv")
    dataset = load("image_folder(size=16, group='who')", source)
    train, validation = training(dataset)
    assert not people(train) & people(validation)
    with pytest.raises(UsageError, match="neither a column"):
        load("image_folder(size=16, group='whom')", source)


def test_a_group_in_two_parts_of_the_data_is_named(photos: Photos, tmp_path: Path) -> None:
    root = photos({"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    source = Source(folder=root, cache=tmp_path / "cache")
    with pytest.raises(DataError, match="the group '0' is in two parts"):
        load("image_folder(group='{group}')", source)


def test_one_group_per_class_leaves_none_for_validation(photos: Photos, tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = photos({name: 4}) / name
        for file in list(folder.iterdir()):
            file.rename(folder / f"{name}_{file.name}")
    source = Source(folder=tmp_path / "photos", cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="one group per class"):
        training(load("image_folder(group='{group}_*')", source))


def test_a_cut_test_part_is_not_decoded_by_training(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 20, "b": 30})
    source = Source(folder=root, cache=tmp_path / "cache", offline=True)
    dataset = load("image_folder(size=16, test=0.1)", source)
    for seed in (0, 1):
        seen = training(dataset, seed=seed)
        assert sum(map(len, seen)) == 45
    assert not list((tmp_path / "cache").rglob("test"))
    test = dataset.parts["test"]()
    assert list(np.bincount(test.labels)) == [2, 3]
    assert not set(test.names) & set(seen[0].names)
    for name in test.names:  # spoiled, they would change what training sees
        (root / name).write_bytes(b"poison")
    again = load("image_folder(size=16, test=0.1)", replace(source, cache=tmp_path / "other"))
    assert again.digest == dataset.digest


def test_a_test_part_of_the_data_excludes_another(photos: Photos, tmp_path: Path) -> None:
    root = photos({"train/a": 3, "train/b": 3, "test/a": 1})
    with pytest.raises(UsageError, match="is a test part already"):
        load("image_folder(test=0.1)", Source(folder=root, cache=tmp_path / "cache"))


def corrections(tmp_path: Path, *lines: str) -> Path:
    (tmp_path / "corrected.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "corrected.csv"


def test_corrected_labels_replace_those_of_the_folders(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 4})
    file = corrections(tmp_path, "file,split,given,likely,probability",
                       "a/0.png,train,b,b,0.9", "a/1.png,train,,b,0.8")  # fmt: skip
    source = Source(folder=root, cache=tmp_path / "cache")
    dataset = load(f"image_folder(size=16, labels={str(file)!r})", source)
    split = dataset.parts["train"]()
    labels = {name: dataset.classes[label] for name, label in zip(split.names, split.labels,
                                                                  strict=True)}  # fmt: skip
    assert labels["a/0.png"] == "b" and "a/1.png" not in labels and labels["a/2.png"] == "a"
    assert len(labels) == 7
    assert any("1 image without a label" in note for note in dataset.notes)
    assert dataset.digest != load("image_folder(size=16)", source).digest


def test_corrections_leave_the_same_images_for_the_test(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 20, "b": 20})
    source = Source(folder=root, cache=tmp_path / "cache")
    before = load("image_folder(size=16, test=0.2)", source).parts["test"]()
    file = corrections(tmp_path, "file,label", *(f"a/{k}.png,b" for k in range(7)))
    after = load(f"image_folder(size=16, test=0.2, labels={str(file)!r})", source).parts["test"]()
    assert set(before.names) == set(after.names)


def test_a_class_that_corrections_empty_is_gone(photos: Photos, tmp_path: Path) -> None:
    root = photos({"a": 2, "b": 2, "bb": 2})
    file = corrections(tmp_path, "file,label", "bb/0.png,b", "bb/1.png,b")
    source = Source(folder=root, cache=tmp_path / "cache")
    assert load(f"image_folder(labels={str(file)!r})", source).classes == ("a", "b")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["file,label", "a/0.png,b", "a/9.png,b"], r"line 3 of .* not among the images"),
        (["file,label", "a/0.png,B"], r"line 2 of .* is no class"),
        (["file,label", "a/0.png,a", "a/0.png,b"], r"line 3 of .* another line 'a'"),
        (["image,label", "a/0.png,b"], "has the columns image, label"),
    ],
)
def test_corrections_that_do_not_fit_are_one_sentence(
    photos: Photos, tmp_path: Path, lines: list[str], said: str
) -> None:
    source = Source(folder=photos({"a": 3, "b": 3}), cache=tmp_path / "cache")
    with pytest.raises(DataError, match=said) as caught:
        load(f"image_folder(labels={str(corrections(tmp_path, *lines))!r})", source)
    assert "\n" not in caught.value.message


def test_pinned_corrections_must_be_the_same_file(photos: Photos, tmp_path: Path) -> None:
    source = Source(folder=photos({"a": 3, "b": 3}), cache=tmp_path / "cache")
    file = corrections(tmp_path, "file,label", "a/0.png,b")
    part = data.load(f"image_folder(labels={str(file)!r})", source).resolved["labels"]
    assert part.startswith("corrected.csv@")
    text = f"image_folder(labels={part!r})"
    assert load(text, replace(source, labels=file)).paths == {"labels": str(file)}
    with pytest.raises(DataError, match="not at hand"):
        load(text, source)
    corrections(tmp_path, "file,label", "a/1.png,b")
    with pytest.raises(DataError, match="not hold the corrected labels"):
        load(text, replace(source, labels=file))
