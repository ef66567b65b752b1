"""The tensors of a torch pickle as views of storages."""

import math
from typing import Any, BinaryIO

import torch
from torch import Tensor

from hundredfold.weights._contents import Entry, checked_shape, filled
from hundredfold.weights._header import Refused, shown
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
_DEPTH = 3  # keys at most that lead to a state dict

# keys of a training's save: averaged weights, then others, then what wraps either
_AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema")
_NESTED = (*_AVERAGED, "state_dict", "model_state_dict", "model", "module")


def views(value: Any) -> tuple[dict[str, View], str]:
    """Return the tensors of a state dict, and a note where averaged weights stand beside others.

    The state dict may be nested under keys of `_NESTED`; an average of weights is preferred. Raises
    Refused for a tensor of an unknown dtype or one that is not dense in its storage.
    """
    state, path = _state(value, (), set())
    if state is None:
        raise Refused("it holds no dictionary of tensors")
    tensors = {n: view for n, view in state.items() if isinstance(n, str) and _is_view(view)}
    for name, view in tensors.items():
        _need_dense(name, view)
    return tensors, _note(value, path)


def _state(
    value: Any, path: tuple[str, ...], seen: set[int]
) -> tuple[dict[Any, Any] | None, tuple[str, ...]]:
    """Return the state dict to take and the keys that lead to it; seen: ids of dictionaries."""
    if not isinstance(value, dict) or id(value) in seen or len(path) > _DEPTH:
        return None, path
    seen.add(id(value))
    for key in _NESTED:
        if key in value:
            state, inner = _state(value[key], (*path, key), seen)
            if state is not None:
                return state, inner
    return (value, path) if not path or any(map(_is_view, value.values())) else (None, path)


def _note(value: Any, path: tuple[str, ...]) -> str:
    """Return what to report of a choice of weights; "" where there was none."""
    if any(key in _AVERAGED for key in path):
        return f"the averaged ones under {'.'.join(path)!r} are taken"
    other = next((key for key in _AVERAGED if key in value and not _is_view(value[key])), None)
    return f"the averaged ones under {other!r} are no dictionary of tensors" if other else ""


def _is_view(value: Any) -> bool:
    return isinstance(value, View)


def _need_dense(name: str, view: View) -> None:
    shape, stride = checked_shape(view.shape), checked_shape(view.stride)
    if view.stored.kind not in DTYPES or len(shape) != len(stride) or view.offset < 0:
        raise Refused(f"{shown(name)} is not a plain tensor")
    last = sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    count = math.prod(shape)
    if count and (last + 1 != count or view.offset + count > view.stored.count):
        raise Refused(f"{shown(name)} is no dense part of its storage")


def entries(tensors: dict[str, View]) -> dict[str, Entry]:
    """Return dtype and shape of each tensor."""
    return {name: Entry(DTYPES[view.stored.kind], view.shape) for name, view in tensors.items()}


def size(stored: Stored) -> int:
    """Return the size of a storage in bytes."""
    return stored.count * width(stored)


def width(stored: Stored) -> int:
    """Return the bytes per number of a storage. Raises Refused for an unknown kind."""
    if stored.kind not in DTYPES:
        raise Refused(f"it has a storage of {shown(stored.kind)}")
    return DTYPES[stored.kind].itemsize


def tensor(view: View, stream: BinaryIO, start: int = 0) -> Tensor:
    """Read a tensor from a stream; start: offset of its storage in bytes."""
    stream.seek(start + view.offset * width(view.stored))
    dense = filled(Entry(DTYPES[view.stored.kind], (math.prod(view.shape),)), stream)
    return dense.as_strided(view.shape, view.stride).contiguous()
