"""A stranger's HDF5 file is refused before a value is read, and reaches nothing outside itself."""

import base64
import lzma
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hundredfold.errors import MissingError
from hundredfold.weights.hdf5 import layers

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

KERNEL, BIAS = np.ones((3, 3, 2, 4), "f4"), np.zeros(4, "f4")
SHAPES = [KERNEL.shape, BIAS.shape]


def published(file, kernel: Callable | None = None) -> None:
    """Write one layer as keras.applications' files have it."""
    layer = file.create_group("conv").create_group("conv")
    if kernel:
        kernel(layer)
    else:
        layer["kernel:0"] = KERNEL
    layer["bias:0"] = BIAS
    file["conv"].attrs["weight_names"] = [b"conv/kernel:0", b"conv/bias:0"]


def saved(file, kernel: Callable | None = None) -> None:
    """Write one layer as Keras 3 saves .weights.h5."""
    held = file.create_group("layers/conv2d_7/vars")
    held.attrs["name"] = "conv"
    if kernel:
        kernel(held)
        held.move("kernel:0", "0")
    else:
        held["0"] = KERNEL
    held["1"] = BIAS


def read(path: Path, shapes=None):
    with layers(path) as arrays_of:
        return arrays_of("conv", shapes or SHAPES)


@pytest.mark.parametrize(
    "write", [published, saved, lambda f: published(f.create_group("model_weights"))]
)
def test_arrays_come_in_keras_order(tmp_path: Path, write: Callable) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        write(file)
    kernel, bias = read(tmp_path / "w.h5")
    np.testing.assert_array_equal(kernel, KERNEL)
    np.testing.assert_array_equal(bias, BIAS)


def _external(layer) -> None:
    layer["kernel:0"] = h5py.ExternalLink("secret.h5", "/data")


def _soft(layer) -> None:
    layer["kernel:0"] = h5py.SoftLink("/conv/conv/bias:0")


def _raw(layer) -> None:
    layer.create_dataset("kernel:0", KERNEL.shape, "f4", external=[("secret.bin", 0, 1000)])


def _virtual(layer) -> None:
    layout = h5py.VirtualLayout(KERNEL.shape, "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "data", KERNEL.shape)
    layer.create_virtual_dataset("kernel:0", layout)


def _numbers(layer) -> None:
    layer["kernel:0"] = KERNEL.astype("i4")


def _group(layer) -> None:
    layer.create_group("kernel:0")


def _shape(layer) -> None:
    layer["kernel:0"] = KERNEL[:, :, :1]


@pytest.mark.parametrize("write", [published, saved])
@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        (_external, "is a link"),
        (_soft, "is a link"),
        (_raw, "no plain array"),
        (_virtual, "no plain array"),
        (_numbers, "int32, not numbers"),
        (_group, "no plain array"),
        (_shape, r"\(3, 3, 1, 4\), not \(3, 3, 2, 4\)"),
    ],
)
def test_what_is_no_plain_array_of_the_right_shape_is_refused(
    tmp_path: Path, write: Callable, kernel: Callable, says: str
) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = KERNEL
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        write(file, kernel)
    with pytest.raises(MissingError, match=says):
        read(tmp_path / "w.h5")


def test_a_small_file_takes_no_large_memory(tmp_path: Path) -> None:
    """4 GB of zeros are a few bytes on disk; the shape is compared before they are made."""

    def bomb(layer) -> None:
        shape = (1024, 1024, 1024)
        layer.create_dataset("kernel:0", shape, "f4", chunks=(64, 64, 64), compression="gzip")

    with h5py.File(tmp_path / "w.h5", "w") as file:
        published(file, bomb)
    tracemalloc.start()
    with pytest.raises(MissingError, match="has the shape"):
        read(tmp_path / "w.h5")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"not hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_hdf5_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.h5").write_bytes(content)
    with pytest.raises(MissingError, match="cannot read weights") as caught:
        read(tmp_path / "w.h5")
    assert caught.value.exit_code == 4


def test_a_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    for write in (published, saved):
        with h5py.File(tmp_path / "w.h5", "w") as file:
            write(file)
        with layers(tmp_path / "w.h5") as arrays_of, pytest.raises(ValueError, match="'other'"):
            arrays_of("other", SHAPES)
        with pytest.raises(MissingError, match="holds 2 arrays, not 1"):
            read(tmp_path / "w.h5", [KERNEL.shape])


def test_without_h5py_the_remedy_is_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingError, match="pip install h5py"):
        read(tmp_path / "w.h5")


def _zeros(layer, *, chunks, count: int, **options) -> None:
    """Write a kernel whose only chunk holds `count` bytes of zeros, packed."""
    made = layer.create_dataset(
        "kernel:0", KERNEL.shape, "f4", chunks=chunks, maxshape=(None,) * 4, **options
    )
    made.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(count)))


def _filtered(layer) -> None:
    layer.create_dataset("kernel:0", data=KERNEL, compression="lzf")


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        (partial(_zeros, chunks=(3, 3, 2, 4), count=1 << 18, compression="gzip"), "more than its"),
        (partial(_zeros, chunks=(3, 3, 2, 4), count=1 << 26, compression="gzip"), "is stored in"),
        (partial(_zeros, chunks=(3, 3, 2, 4), count=4, compression="gzip"), "holds 4 bytes"),
        (partial(_zeros, chunks=(512, 512, 64, 32), count=9, compression="gzip"), "has chunks of"),
        (partial(_zeros, chunks=(512, 512, 64, 32), count=9), "has chunks of"),
        (_filtered, "filter 32000"),
    ],
)
def test_chunks_that_are_larger_than_the_array_are_refused(
    tmp_path: Path, kernel: Callable, says: str
) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        published(file, kernel)
    tracemalloc.start()
    with pytest.raises(MissingError, match=says):
        read(tmp_path / "w.h5")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("chunks", [(3, 3, 2, 4), (2, 2, 1, 3), True])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4"])
def test_packed_arrays_are_read_as_h5py_reads_them(
    tmp_path: Path, shuffle: bool, compression: str | None, chunks, kind: str
) -> None:
    values = np.random.default_rng(0).normal(size=KERNEL.shape).astype(kind)

    def packed(layer) -> None:
        layer.create_dataset(
            "kernel:0", data=values, chunks=chunks, compression=compression, shuffle=shuffle
        )

    with h5py.File(tmp_path / "w.h5", "w") as file:
        published(file, packed)
    np.testing.assert_array_equal(read(tmp_path / "w.h5")[0], values.astype("f4"))


def _many_references(file) -> None:
    names = file.create_group("conv").attrs
    names.create("weight_names", ["x" * 100_000] * 3000, dtype=h5py.string_dtype())


def _two_long_names(file) -> None:
    file.create_group("conv").attrs["weight_names"] = ["x" * 100_000] * 2


def _wide_names(file) -> None:
    file.create_group("conv").attrs["weight_names"] = np.full(2, b"x" * 10_000)


def _numbers_as_names(file) -> None:
    file.create_group("conv").attrs["weight_names"] = [1, 2]


def _references_as_names(file) -> None:
    group = file.create_group("conv")
    group.attrs.create("weight_names", [group.ref] * 2, dtype=h5py.ref_dtype)


def _layers_as_numbers(file) -> None:
    file["layers"] = np.arange(3)


def _layer_as_numbers(file) -> None:
    file["layers/conv"] = np.arange(3)


def _model_as_numbers(file) -> None:
    file["model_weights"] = np.arange(3)


def _variables_as_numbers(file) -> None:
    file["layers/conv/vars"] = KERNEL
    file["layers/conv/vars"].attrs["name"] = "conv"


def _layers_elsewhere(file) -> None:
    file["layers"] = h5py.ExternalLink("secret.h5", "/layers")


def _layers_in_a_circle(file) -> None:
    held = file.create_group("layers/conv/vars")
    held.attrs["name"] = "conv"
    held["0"] = held["1"] = file


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (_many_references, "holds 3000 arrays, not 2"),
        (_two_long_names, "a name of 100,000 characters"),
        (_wide_names, "names that are too long"),
        (_numbers_as_names, "no list of names"),
        (_references_as_names, "no list of names"),
        (_layers_as_numbers, "layers is no group"),
        (_layer_as_numbers, "conv is no group"),
        (_model_as_numbers, "model_weights is no group"),
        (_variables_as_numbers, "vars is no group"),
        (_layers_elsewhere, "'layers' is a link"),
        (_layers_in_a_circle, "no plain array"),
    ],
)
def test_a_file_of_another_structure_is_one_sentence(
    tmp_path: Path, write: Callable, says: str
) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        write(file)
    with pytest.raises(MissingError, match=says) as caught:
        read(tmp_path / "w.h5")
    assert len(str(caught.value)) < 500


# a file of 11 kB, found by fuzzing, whose attribute keeps the HDF5 library busy for half a minute
BUSY = (
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4C2DAWddAESSBIRvent3SsRmT2odD3JpHhjMHxEL0AiPnSHmTpgPhTM91W"
    "NkYftyP6eEte6BQcFvgpWey9MyzdwDT0zGOM2vxnzDLSKEGqam0zlFI/mypqGncjV80DiHBh2gyP1BqL3EchZF73bS"
    "5Pht5akcj1fnenWQBKqZz3kSKgLtWHbLEbyFU51uXGVFTdRfk2d/+8zmOCFK5DOGxKtHLN73bs9ylAlk9W/PlyUtkK"
    "yqHkwWlMWzScjRqXAMwAJkWYZAKGbqPp0w2FllSRAmr9KJPzo0zS4cGiANYjNS0R1dkSv4i/CB6jCHbH5sVzov6zCx"
    "mcNSxdsDcYVbIzDcEZRlpNs7ArmTuIJDStIsayz390csSrF9luFqw3wVoCG+PE1QFHpTRHJZ8m89s8LlzxM+HcwNAz"
    "uAKNHT97YRpZeMVWuN+/IfPRQVE95Ac1eCHJfyhOS/cJOC/boGhQpGrXhVJXHYJqNG+N5/AABgBC+jTW6H/QABgwOE"
    "WwAARigDHrHEZ/sCAAAAAARZWg=="
)


def test_a_file_that_keeps_the_library_busy_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "busy.h5"
    file.write_bytes(lzma.decompress(base64.b64decode(BUSY)))
    with pytest.raises(MissingError, match="takes more than 3 s"), layers(file):
        pass


def test_a_module_in_the_current_folder_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h5py.py").write_text("open('ran', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"no file of weights")
    with pytest.raises(MissingError), layers(tmp_path / "a.h5"):
        pass
    assert not (tmp_path / "ran").exists()
