"""Weights are written to the same bytes and come back bit for bit, whatever the format."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from hundredfold.errors import DataError, MissingError
from hundredfold.weights import files


def _tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "turned": torch.randn(6, 4).t(),
        "half": torch.randn(3).half(),
        "count": torch.tensor(7),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "truth": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
    }


def _torch(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, path)


def _torch_legacy(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


def _torch_checkpoint(path: Path, tensors: dict[str, Tensor]) -> None:
    rest = {"epoch": 3, "optimizer": [1.5, None, (1, 2)]}
    torch.save({"state_dict": tensors, **rest}, path)


def _torch_module(path: Path, tensors: dict[str, Tensor]) -> None:
    module = torch.nn.Module()
    for name, tensor in tensors.items():
        module.register_buffer(f"b_{name.replace('.', '_')}", tensor)
    torch.save(module.state_dict(), path)


def _own(path: Path, tensors: dict[str, Tensor]) -> None:
    files.write(path, tensors, {})


def _library(path: Path, tensors: dict[str, Tensor]) -> None:
    safetensors.torch.save_file({n: t.contiguous() for n, t in tensors.items()}, path)


WRITERS: dict[str, Callable[[Path, dict[str, Tensor]], None]] = {
    "own.safetensors": _own,
    "library.safetensors": _library,
    "dictionary.pt": _torch,
    "legacy.pth": _torch_legacy,
    "checkpoint.pth": _torch_checkpoint,
    "module.bin": _torch_module,
    "LIGHTNING.CKPT": _torch_checkpoint,
}


@pytest.mark.parametrize("file", WRITERS)
def test_what_was_written_is_read_bit_for_bit(tmp_path: Path, file: str) -> None:
    tensors = _tensors()
    WRITERS[file](tmp_path / file, tensors)
    with files.opened(tmp_path / file) as contents:
        actual = contents.tensors(contents.entries)
    if file == "module.bin":
        tensors = {f"b_{name.replace('.', '_')}": tensor for name, tensor in tensors.items()}
    assert {name: tuple(e.shape) for name, e in contents.entries.items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    for name, tensor in tensors.items():
        assert torch.equal(actual[name], tensor), name
        assert actual[name].dtype == tensor.dtype == contents.entries[name].dtype


def test_a_file_of_torch_before_04_by_python_2_is_read(tmp_path: Path) -> None:
    """Tensors were made by another function then, and names were strings of bytes."""
    torch.save({"conv.weight": torch.arange(6.0).view(2, 3)}, tmp_path / "new.pth",
               _use_new_zipfile_serialization=False)  # fmt: skip
    content = (tmp_path / "new.pth").read_bytes()
    for new, old in ((b"_rebuild_tensor_v2\n", b"_rebuild_tensor\n"),
                     (b"X\x0b\0\0\0conv.weight", b"T\x0b\0\0\0conv.weight")):  # fmt: skip
        assert content.count(new) == 1
        content = content.replace(new, old)
    (tmp_path / "old.pth").write_bytes(content)
    with files.opened(tmp_path / "old.pth") as contents:
        actual = contents.tensors(contents.entries)
    assert actual["conv.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_is_written_another_library_reads(tmp_path: Path) -> None:
    tensors = _tensors() | {"brain": torch.randn(3).bfloat16()}
    files.write(tmp_path / "a.safetensors", tensors, {"classes": '["ä", "b"]'})
    with safetensors.safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert file.metadata() == {"classes": '["ä", "b"]'}
        for name, tensor in tensors.items():
            assert torch.equal(file.get_tensor(name), tensor)


def test_equal_content_gives_equal_bytes_and_the_size_is_foretold(tmp_path: Path) -> None:
    tensors = _tensors()
    turned = dict(reversed(tensors.items()))
    one = files.write(tmp_path / "a.safetensors", tensors, {})
    assert files.write(tmp_path / "b.safetensors", turned, {}) == one
    assert files.digest_of(tensors) == one
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert (tmp_path / "a.safetensors").stat().st_size == files.size(tensors)


def test_only_the_tensors_that_are_wanted_are_read(tmp_path: Path) -> None:
    """One that is not finite harms nobody who does not want it."""
    tensors = {"good": torch.ones(2), "bad": torch.tensor([1.0, float("nan")])}
    torch.save(tensors, tmp_path / "a.pt")
    with files.opened(tmp_path / "a.pt") as contents:
        assert contents.tensors(["good"])["good"].tolist() == [1, 1]
    with (
        pytest.raises(DataError, match="cannot read") as caught,
        files.opened(tmp_path / "a.pt") as contents,
    ):
        contents.tensors(["bad"])
    assert caught.value.found == "bad holds numbers that are not finite"


def test_a_file_that_is_not_there_or_of_no_known_kind_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    with pytest.raises(MissingError, match="no file of weights"), files.opened(tmp_path / "b.pt"):
        pass
    with pytest.raises(DataError, match="not a kind of file"), files.opened(tmp_path / "a.zip"):
        pass
    with pytest.raises(MissingError), files.opened(Path("/dev/zero")):
        pass
