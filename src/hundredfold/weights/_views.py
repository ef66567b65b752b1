"""The tensors of a torch pickle as views of storages."""

import math
from typing import Any, BinaryIO

import torch
from torch import Tensor

from hundredfold.weights._contents import Entry, Refused, checked_shape, filled
from hundredfold.weights._pickle import Stored, View

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_NESTED = ("state_dict", "model_state_dict", "model")


def views(value: Any) -> dict[str, View]:
    """Return the tensors of a state dict, which may be nested under a key of `_NESTED`.

    Raises Refused for a tensor of an unknown dtype or one that is not dense in its storage.
    """
    for key in _NESTED:
        if isinstance(value, dict) and isinstance(value.get(key), dict):
            value = value[key]
            break
    if not isinstance(value, dict):
        raise Refused("it holds no dictionary of tensors")
    tensors = {str(name): view for name, view in value.items() if isinstance(view, View)}
    for name, view in tensors.items():
        _need_dense(name, view)
    return tensors


def _need_dense(name: str, view: View) -> None:
    shape, stride = checked_shape(view.shape), checked_shape(view.stride)
    if view.stored.kind not in DTYPES or len(shape) != len(stride) or view.offset < 0:
        raise Refused(f"{name[:80]} is not a plain tensor")
    last = sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    count = math.prod(shape)
    if count and (last + 1 != count or view.offset + count > view.stored.count):
        raise Refused(f"{name[:80]} is no dense part of its storage")


def entries(tensors: dict[str, View]) -> dict[str, Entry]:
    """Return dtype and shape of each tensor."""
    return {name: Entry(DTYPES[view.stored.kind], view.shape) for name, view in tensors.items()}


def size(stored: Stored) -> int:
    """Return the size of a storage in bytes."""
    return stored.count * width(stored)


def width(stored: Stored) -> int:
    """Return the bytes per number of a storage. Raises Refused for an unknown kind."""
    if stored.kind not in DTYPES:
        raise Refused(f"it has a storage of {stored.kind[:80]}")
    return DTYPES[stored.kind].itemsize


def tensor(view: View, stream: BinaryIO, start: int = 0) -> Tensor:
    """Read a tensor from a stream; start: offset of its storage in bytes."""
    stream.seek(start + view.offset * width(view.stored))
    dense = filled(Entry(DTYPES[view.stored.kind], (math.prod(view.shape),)), stream)
    return dense.as_strided(view.shape, view.stride).contiguous()
