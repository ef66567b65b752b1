import os
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from hundredfold import data, spec
from hundredfold.data import Source, Survey
from hundredfold.errors import DataError


def look(folder: Path, options: str = "") -> Survey:
    """Survey a folder, an archive or a table with options of `image_folder`."""
    part = spec.part(f"image_folder({options})", "hundredfold.data")
    source = Source(folder=folder, cache=folder.parent / "cache", offline=True)
    return data.survey(part.options, source)


def test_a_survey_counts_without_decoding(photos) -> None:
    root = photos({"train/a": 5, "train/b": 7, "val/a": 2, "val/b": 1, "test/a": 4})
    found = look(root)
    assert found.counts == {
        "train": {"a": 5, "b": 7}, "validation": {"a": 2, "b": 1}, "test": {"a": 4}
    }  # fmt: skip
    assert (found.images("train"), found.images("test"), found.classes) == (12, 4, ("a", "b"))
    assert found.bytes == sum(file.stat().st_size for file in root.rglob("*.png"))


def test_a_survey_knows_the_sizes_and_reads_no_test_image(tmp_path: Path) -> None:
    for place in ("train/a", "train/b", "test/a"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (40, 30 + number)).save(tmp_path / place / f"{number}.png")
    (tmp_path / "test/a/0.png").write_bytes(b"poison")
    found = look(tmp_path)
    assert sorted(set(found.sizes)) == [(40, 30), (40, 31), (40, 32)]
    assert found.side == 31
    assert not any("test" in file.parts for file in found.sample)


def test_files_that_are_no_images_have_no_size(photos) -> None:
    root = photos({"a": 3, "b": 3})
    (root / "a/0.png").write_bytes(b"poison")
    found = look(root)
    assert (found.images("train"), len(found.sizes)) == (6, 5)
    assert data.decode_rate(found, 16, 0.1) > 0


def test_a_rate_of_decoding_ends_in_time(photos) -> None:
    found = look(photos({"a": 30, "b": 30}))
    began = time.perf_counter()
    assert data.decode_rate(found, 32, 0.0) > 0
    assert time.perf_counter() - began < 5


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training images"):
        look(tmp_path)


def test_every_kind_of_source_is_surveyed_as_its_folder_is(photos, tmp_path: Path) -> None:
    root = photos({"a": 5, "b": 7})
    files = sorted(root.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    lines = [f"{file.relative_to(root).as_posix()},{file.parent.name}" for file in files]
    (root / "labels.csv").write_text("\n".join(["file,label", *lines]))
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in files:
        (flat / f"{file.parent.name}_{file.name}").write_bytes(file.read_bytes())
    plain = look(root)
    sources = [(tmp_path / "photos.zip", ""), (root / "labels.csv", ""),
               (flat, "label_pattern='{label}_*'")]  # fmt: skip
    for path, options in sources:
        found = look(path, options)
        assert (found.counts, found.bytes, found.sizes) == (plain.counts, plain.bytes, plain.sizes)
        assert data.decode_rate(found, 16, 0.1) > 0


def test_a_test_part_that_is_cut_off_is_not_among_the_training_images(photos) -> None:
    root = photos({"a": 20, "b": 20})
    found = look(root, "test=0.25, subset=10")
    assert found.counts == {"train": {"a": 5, "b": 5}, "test": {"a": 5, "b": 5}}
    source = Source(folder=root, cache=root.parent / "cache", offline=True)
    opened = data.load("image_folder(size=8, test=0.25)", source).parts["test"]()
    sampled = {file.relative_to(root).as_posix() for file in found.sample}
    assert len(sampled) == 10 and not sampled & set(opened.names)


def test_a_survey_decodes_with_the_policy_of_the_data(photos) -> None:
    assert look(photos({"a": 2, "b": 2}), "resize='pad'").resize == "pad"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_left_out_and_nothing_waits_for_it(photos, tmp_path: Path) -> None:
    root = photos({"a": 4, "b": 4})
    os.mkfifo(root / "a" / "9.png")
    assert len(look(root).sizes) == 8
    source = data.Source(folder=root, cache=tmp_path / "cache", offline=True)
    loaded = data.load("image_folder(size=8)", source)
    assert "it is not a regular file" in loaded.notes[0]
    assert len(loaded.parts["train"]()) == 8
