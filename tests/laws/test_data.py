"""Laws that every data set keeps, found by its file alone."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import DataSet, Source, load, training
from hundredfold.errors import HundredfoldError
from hundredfold.spec import describe, names, resolve

PACKAGE = "hundredfold.data"
SETS = names(PACKAGE)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> list[Path | None]:
    """Return folders of the kinds that a data set may be found in, and no folder."""
    rng, photos = np.random.default_rng(0), tmp_path_factory.mktemp("photos")
    for number in range(24):
        place = photos / ("train", "train", "test")[number % 3] / f"class{number // 3 % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(place / f"{number}.png")
    published = tmp_path_factory.mktemp("published")
    for folder, files, labels in (
        ("cifar-100-binary", ("train.bin", "test.bin"), 2),
        (
            "cifar-10-batches-bin",
            ("test_batch.bin", *(f"data_batch_{i}.bin" for i in range(1, 6))),
            1,
        ),
    ):
        (published / folder).mkdir()
        for file in files:
            rows = rng.integers(0, 256, (40, labels + 3072), np.uint8)
            rows[:, :labels] = (np.arange(40) % 10)[:, None]
            (published / folder / file).write_bytes(rows.tobytes())
    return [None, photos, published]


@pytest.fixture
def loaded(name: str, homes: list[Path | None], tmp_path: Path) -> tuple[DataSet, Source]:
    """Load a data set from the first folder that has it."""
    for home in homes:
        source = Source(folder=home, cache=tmp_path / "cache", offline=True)
        try:
            return load(name, source), source
        except HundredfoldError:
            continue
    raise AssertionError(f"{name} was found in none of the kinds of folders; add its kind to homes")


laws = pytest.mark.parametrize("name", SETS)


@laws
def test_a_source_is_all_it_is_handed(name: str) -> None:
    signature = describe(name, PACKAGE)
    assert signature.handed == ("source",)
    assert signature.summary.endswith(".") and signature.module_doc
    function = resolve(name, PACKAGE).func
    assert inspect.signature(function, eval_str=True).return_annotation is DataSet


@laws
def test_images_are_square_bytes_with_labels(loaded: tuple[DataSet, Source]) -> None:
    data, _ = loaded
    for opened in data.parts.values():
        split = opened()
        assert split.pixels.shape == (len(split.labels), data.size, data.size, 3)
        assert (split.pixels.dtype, split.labels.dtype) == (np.uint8, np.int64)
        assert split.labels.min() >= 0 and split.labels.max() < len(data.classes)
        assert np.array_equal(split.indices, np.arange(len(split)))
        assert len(split.names) in (0, len(split.labels))
        assert split.pixels.std() > 0


@laws
def test_pixels_are_mapped_and_read_only(loaded: tuple[DataSet, Source]) -> None:
    split = loaded[0].parts["train"]()
    assert isinstance(split.pixels, np.memmap)
    assert not split.pixels.flags.writeable and not split.labels.flags.writeable


@laws
def test_superclasses_go_with_classes(loaded: tuple[DataSet, Source]) -> None:
    data, _ = loaded
    assert len(set(data.classes)) == len(data.classes) > 1
    assert len(data.superclass_of) in (0, len(data.classes))
    assert set(data.superclass_of) == set(range(len(data.superclasses)))


@laws
def test_training_reads_and_prepares_no_test_part(loaded: tuple[DataSet, Source]) -> None:
    data, source = loaded
    train, validation = training(data, share=0.2, seed=1)
    assert len(train) and len(validation)
    assert not [f for f in source.cache.rglob("*") if "test" in f.relative_to(source.cache).parts]


@laws
def test_training_and_validation_share_no_image(loaded: tuple[DataSet, Source]) -> None:
    train, validation = training(loaded[0], share=0.2, seed=1)
    if train.pixels is validation.pixels:
        assert not set(train.indices) & set(validation.indices)
        assert len(train) + len(validation) == len(train.pixels)


@laws
def test_the_digest_is_the_same_from_the_cache_and_without(
    name: str, loaded: tuple[DataSet, Source], tmp_path: Path
) -> None:
    data, source = loaded
    assert len(data.digest) == 64 and int(data.digest, 16) >= 0
    assert load(name, source).digest == data.digest
    elsewhere = Source(folder=source.folder, cache=tmp_path / "other", offline=True)
    assert load(name, elsewhere).digest == data.digest


def test_no_data_set_needs_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, hundredfold.data; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
