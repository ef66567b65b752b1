"""The Python form of CIFAR: pickles, read without running anything they name.

A pickle may name any function. Here each name that an array needs stands for a harmless
class of this file, and every other name is refused.
"""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold.errors import DataError


class _Dtype:
    """What `numpy.dtype` stands for: one byte per number, or nothing."""

    def __init__(self, kind: str | bytes, *_rest: object) -> None:
        if kind not in ("u1", b"u1", "|u1", b"|u1"):
            raise pickle.UnpicklingError(f"an array of {kind!r}")

    def __setstate__(self, state: object) -> None:
        """Byte order and padding mean nothing for bytes."""


class _Array:
    """What `numpy.ndarray` stands for."""

    def __init__(self, *_empty: object) -> None:
        self.pixels: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, _dtype, fortran, data = state
        self.pixels = _pixels(data, shape, "F" if fortran else "C")


def _rebuilt(_cls: object, _shape: object, _kind: object) -> _Array:
    return _Array()


def _from_buffer(data: bytes, _dtype: _Dtype, shape: tuple[int, ...], order: Any) -> _Array:
    array = _Array()
    array.pixels = _pixels(data, shape, order)
    return array


def _encoded(text: str, _latin1: str) -> bytes:
    return text.encode("latin1")


def _pixels(data: bytes, shape: tuple[int, ...], order: Any) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8).reshape(shape, order=order)


_KNOWN = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy._core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encoded,
}


# The implementation in Python: the one in C allocates what a pickle's memo index asks for.
class _Reader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no image needs")
        return _KNOWN[module, name]


def read_python(data: bytes, *, labels: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return (n,) labels and (n, 3072) pixels of one pickled batch."""
    try:
        batch = _Reader(io.BytesIO(data), encoding="bytes").load()
        found = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
        pixels = found["data"].pixels
        return np.asarray(found[labels], np.int64).reshape(len(pixels)), pixels.reshape(-1, 3072)
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(
            "cannot read it as a pickled batch of CIFAR", found=f"{type(error).__name__}: {error}"
        ) from None
