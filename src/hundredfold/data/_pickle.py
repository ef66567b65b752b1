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
        if not isinstance(kind, str | bytes):  # text of nested tuples may never end
            raise pickles.Refused("its array is of no known type")
        if kind not in ("u1", b"u1", "|u1", b"|u1"):
            raise pickles.Refused(f"its array is of {str(kind[:20])!r}")


class _Array:
    """Stand-in for `numpy.ndarray`, made when its pixels are asked for: once in a batch.

    The pickle sets its state, or gives it with the call.
    """

    __slots__ = ("_data", "_order", "_shape")

    def __init__(self, data: Any = b"", shape: Any = (0, 0), order: Any = "C") -> None:
        self._data, self._shape, self._order = data, shape, order

    def build(self, state: tuple[Any, ...]) -> None:
        _version, self._shape, _dtype, fortran, self._data = state
        self._order = "F" if fortran else "C"

    def pixels(self) -> NDArray[np.uint8]:
        """Return the array (n, ...); its text is Latin-1, as Python 2 writes bytes."""
        data = self._data.encode("latin1") if isinstance(self._data, str) else self._data
        return np.frombuffer(data, np.uint8).reshape(self._shape, order=self._order)


def _rebuilt(_cls: object, _shape: object, _kind: object) -> _Array:
    return _Array()


def _from_buffer(data: object, _dtype: _Dtype, shape: object, order: object) -> _Array:
    return _Array(data, shape, order)


def _encoded(text: object, _latin1: object) -> object:
    return text  # as it is: each call that encodes would take memory


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
        pixels = entries["data"].pixels()
        return _labels(entries[labels], len(pixels)), pixels.reshape(-1, 3072)
    except (
        pickles.Refused, ValueError, TypeError, KeyError, AttributeError, BufferError, OverflowError
    ) as error:  # fmt: skip
        raise DataError(
            "cannot read it as a pickled batch of CIFAR", found=f"{type(error).__name__}: {error}"
        ) from None


def _labels(numbers: Any, count: int) -> NDArray[np.int64]:
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise pickles.Refused("its labels are no list of numbers")
    if len(numbers) != count:
        raise pickles.Refused(f"it has {len(numbers):,} labels for {count:,} images")
    return np.array(numbers, np.int64)
