"""What the metadata of a stranger's weights claim is checked before it is believed."""

import json
import struct
from pathlib import Path

import pytest

from hundredfold.errors import MissingError
from hundredfold.weights.locate import network_of_run, own_metadata, run_size


def _file(folder: Path, header: object) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file = folder / "w.safetensors"
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    return file


def _claims(folder: Path, **metadata: object) -> Path:
    return _file(folder, {"__metadata__": {"recipe_digest": "ab", **metadata}})


@pytest.mark.parametrize(
    "header",
    [
        {"__metadata__": None},
        {"__metadata__": []},
        {"__metadata__": {"recipe_digest": ["a"]}},
        {"__metadata__": {"recipe_digest": "\ud800"}},
        b"[" * 100_000,
        b"[" + b"[[[[]]]]," * 1_000_000 + b"1]",
        b"[]",
    ],
    ids=["null", "a list", "lists", "half a character", "brackets", "9 MB of lists", "no table"],
)
def test_metadata_of_another_shape_are_none(tmp_path: Path, header: object) -> None:
    file = _file(tmp_path, header)
    assert own_metadata(file) is None
    assert run_size(file) == 0
    assert network_of_run(str(file), tmp_path) is None


@pytest.mark.parametrize(
    "model", ["transfer()", "resnet18)(", "a | b", "-" * 50_000, "resnet(deep=3)", "\x1b[31m"]
)
def test_a_network_that_does_not_exist_is_one_sentence(tmp_path: Path, model: str) -> None:
    file = _claims(tmp_path, model=model)
    with pytest.raises(MissingError, match="cannot read weights") as caught:
        network_of_run(str(file), tmp_path)
    assert len(str(caught.value)) < 2000
    assert "\x1b" not in str(caught.value)


def test_a_file_of_weights_runs_no_code_that_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit('ran')\ndef net(classes): ...\n")
    file = _claims(tmp_path, model=f"{tmp_path}/own.py:net")
    with pytest.raises(MissingError, match="which is code") as caught:
        network_of_run(str(file), tmp_path)
    assert "--model" in str(caught.value.remedy)


@pytest.mark.parametrize("size", ["9" * 5000, "0", "-1", "1000000000", "²", "x", "1e3"])
def test_a_size_that_no_image_has_is_unknown(tmp_path: Path, size: str) -> None:
    assert run_size(_claims(tmp_path, size=size)) == 0
    assert run_size(_claims(tmp_path, input_size=size, size="32")) == 32
