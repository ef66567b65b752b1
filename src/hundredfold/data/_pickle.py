"""Read CIFAR's Python layout: a pickled dictionary of labels and a byte array."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import pickles
from hundredfold.errors import DataError
from hundredfold.pickles import Vocabulary


class _Dtype:
    """Stand-in for `numpy.dtype`; refuses everything but uint8."""

    def __init__(self, kind: str | bytes, *_rest: object) -> None:
        if kind not in ("u1", b"u1", "|u1", b"|u1"):
            raise pickles.Refused(f"its array is of {str(kind)[:20]!r}")


class _Array:
    """Stand-in for `numpy.ndarray`; the pickle sets its state after the call."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def build(self, state: tuple[Any, ...]) -> None:
        _version, shape, _dtype, fortran, data = state
        self.pixels = _pixels(data, shape, "F" if fortran else "C")


def _rebuilt(_cls: object, _shape: object, _kind: object) -> _Array:
    return _Array(np.zeros((0, 0), np.uint8))


def _from_buffer(data: bytes, _dtype: _Dtype, shape: tuple[int, ...], order: Any) -> _Array:
    return _Array(_pixels(data, shape, order))


def _encoded(text: str, _latin1: str) -> bytes:
    return text.encode("latin1")


def _pixels(data: str | bytes, shape: tuple[int, ...], order: Any) -> NDArray[np.uint8]:
    content = data.encode("latin1") if isinstance(data, str) else data  # str in Python 2 pickles
    return np.frombuffer(content, np.uint8).reshape(shape, order=order)


_ARRAYS = Vocabulary(
    {
        ("numpy", "dtype"): _Dtype,
        ("numpy.core.multiarray", "_reconstruct"): _rebuilt,
        ("numpy._core.multiarray", "_reconstruct"): _rebuilt,
        ("numpy.core.numeric", "_frombuffer"): _from_buffer,
        ("numpy._core.numeric", "_frombuffer"): _from_buffer,
        ("_codecs", "encode"): _encoded,
    },
    "batch of images",
)


def read_python(data: bytes, *, labels: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return labels (n,) and pixels (n, 3072) of one pickled batch.

    Raises DataError where the pickle is damaged or is not a batch of CIFAR.
    """
    try:
        batch = pickles.interpret(data, _ARRAYS)
        if not isinstance(batch, dict):
            raise pickles.Refused("it is no dictionary")
        entries = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
        pixels = entries["data"].pixels
        return _labels(entries[labels], len(pixels)), pixels.reshape(-1, 3072)
    except (pickles.Refused, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            "cannot read it as a pickled batch of CIFAR", found=f"{type(error).__name__}: {error}"
        ) from None


def _labels(numbers: Any, count: int) -> NDArray[np.int64]:
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise pickles.Refused("its labels are no list of numbers")
    if len(numbers) != count:
        raise pickles.Refused(f"it has {len(numbers):,} labels for {count:,} images")
    return np.array(numbers, np.int64)
