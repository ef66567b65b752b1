"""Laws that every data set keeps, found by its file alone."""

import importlib.util
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hundredfold.data import DataSet, InMemory, Source, in_memory, load, training
from hundredfold.errors import HundredfoldError
from hundredfold.spec import describe, names, resolve

PACKAGE = "hundredfold.data"
SETS = names(PACKAGE)
PUBLISHED = Path(__file__).parents[1] / "data" / "published"
_IMAGES = np.random.default_rng(1).integers(0, 256, (30, 9, 9, 3), np.uint8)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder for each data set that reads files, written by a file of its name."""
    folders = {}
    for file in sorted(PUBLISHED.glob("*.py")):
        specification = importlib.util.spec_from_file_location(f"published_{file.stem}", file)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        folders[file.stem] = tmp_path_factory.mktemp(file.stem)
        module.write(folders[file.stem], np.random.default_rng(0))
    return folders


def _held() -> InMemory:
    """Return images that somebody hands over in Python."""
    labels = np.arange(len(_IMAGES)) % 3
    return in_memory({"train": (_IMAGES, labels), "test": (_IMAGES[:6], labels[:6])})


@pytest.fixture
def loaded(name: str, homes: dict[str, Path], tmp_path: Path) -> tuple[DataSet, Source]:
    """Load a data set from a folder in which its files lie; a set that is drawn needs none."""
    source = Source(
        folder=homes.get(name), cache=tmp_path / "cache", offline=True, in_memory=_held()
    )
    try:
        return load(name, source), source
    except HundredfoldError as error:
        if name in homes:
            raise
        raise AssertionError(f"tests/data/published/{name}.py writes no files of it") from error


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
def test_pixels_are_mapped_or_held_already_and_read_only(loaded: tuple[DataSet, Source]) -> None:
    split = loaded[0].parts["train"]()
    assert isinstance(split.pixels, np.memmap) or np.shares_memory(split.pixels, _IMAGES)
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
    elsewhere = replace(source, cache=tmp_path / "other", in_memory=_held())
    assert load(name, elsewhere).digest == data.digest


def test_no_data_set_needs_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, hundredfold.data; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
