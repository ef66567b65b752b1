"""Every kind of file that weights are read from can be named, whatever the case of its ending."""

from pathlib import Path

import pytest

from hundredfold.backbones import BACKBONES, MODELS
from hundredfold.data import Source
from hundredfold.errors import MissingError
from hundredfold.spec import part
from hundredfold.weights.files import _READERS
from hundredfold.weights.locate import SUFFIXES, locate

VGG16 = part(BACKBONES["vgg16"].network, MODELS)


@pytest.mark.parametrize("suffix", [s for kind in SUFFIXES for s in (kind, kind.upper())])
def test_a_file_and_the_folder_that_holds_it_are_found(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"vgg16-abc{suffix}"
    file.write_bytes(b"")
    source = Source(None, tmp_path / "cache", offline=True)
    assert locate(VGG16, file, source) == locate(VGG16, tmp_path, source) == file


@pytest.mark.parametrize("suffix", [".npz", ".txt", ""])
def test_another_kind_of_file_is_refused_with_those_that_are_read(
    tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"vgg16-abc{suffix}"
    file.write_bytes(b"")
    with pytest.raises(MissingError, match="no file of weights") as caught:
        locate(VGG16, file, Source(None, tmp_path / "cache", offline=True))
    assert ".ckpt" in str(caught.value.found)


def test_every_reader_can_be_reached() -> None:
    assert {*_READERS, ".h5"} == set(SUFFIXES)
