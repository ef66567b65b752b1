"""The declared contents of a file of weights, and reading of its tensors."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import torch
from torch import Tensor

from hundredfold.weights._header import NAME, Refused, shown

_NAMES, _DIMENSIONS = 20_000, 8  # limits of tensors per file, and of dimensions per tensor
_CHUNK = 1 << 20  # bytes per read


@dataclass(frozen=True)
class Entry:
    """One tensor as the file declares it."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class Contents:
    """Names with dtypes and shapes, and metadata; tensors are read on demand.

    entries: by tensor name. metadata: strings by name, in .safetensors only. note: which of
    several sets of weights was taken, if there is a choice.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        read: Callable[[str], Tensor],
        metadata: Mapping[str, str] | None = None,
        note: str = "",
    ) -> None:
        if len(entries) > _NAMES:
            raise Refused(f"it names {len(entries):,} tensors")
        if long := next((name for name in entries if len(name) > NAME), None):
            raise Refused(f"it names a tensor with {len(long):,} characters, more than {NAME}")
        self.entries, self.metadata, self.note = entries, dict(metadata or {}), note
        self._read = read

    def tensors(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Read tensors whose shapes the caller has checked. Raises Refused if not finite.

        Numbers of 64 bits must be finite in 32 bits, which networks compute in.
        """
        tensors = {}
        for name in names:
            tensors[name] = tensor = self._read(name)
            values = tensor.float() if tensor.dtype == torch.float64 else tensor
            if values.is_floating_point() and not values.isfinite().all():
                raise Refused(f"{shown(name)} holds numbers that are not finite")
        return tensors


def checked_shape(shape: object) -> tuple[int, ...]:
    """Return a valid shape as a tuple: at most 8 integers from 0 on. Raises Refused."""
    if not isinstance(shape, list | tuple) or len(shape) > _DIMENSIONS:
        raise Refused("the shape of a tensor is no short list of numbers")
    if any(type(length) is not int or not 0 <= length < 2**40 for length in shape):
        raise Refused("the shape of a tensor holds something that is no length")
    return tuple(shape)


def filled(entry: Entry, stream: BinaryIO) -> Tensor:
    """Read a tensor from a stream, in row-major order. Raises Refused where the stream ends."""
    tensor = torch.empty(entry.shape, dtype=entry.dtype)
    if not tensor.numel():
        return tensor
    buffer = tensor.reshape(-1).view(torch.uint8).numpy().data
    position = 0
    while position < len(buffer):
        chunk = stream.read(min(_CHUNK, len(buffer) - position))
        if not chunk:
            raise Refused("it ends in the middle of a tensor")
        buffer[position : position + len(chunk)] = chunk
        position += len(chunk)
    return tensor
