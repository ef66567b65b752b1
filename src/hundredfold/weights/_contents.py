"""What a file of weights says it holds, and the reading of tensors from it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import torch
from torch import Tensor

_NAMES, _DIMENSIONS = 20_000, 8
_CHUNK = 1 << 20


class Refused(Exception):
    """A file of weights is damaged or hostile; the message says how."""


@dataclass(frozen=True)
class Entry:
    """One tensor as the file declares it."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class Contents:
    """Names with types and shapes, and text beside them; no tensor has been read yet.

    entries: what there is. metadata: text by name, in .safetensors only.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        read: Callable[[str], Tensor],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if len(entries) > _NAMES:
            raise Refused(f"it names {len(entries):,} tensors")
        self.entries, self.metadata = entries, dict(metadata or {})
        self._read = read

    def tensors(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Read tensors in whose names and shapes the caller believes; all must be finite."""
        found = {}
        for name in names:
            found[name] = self._read(name)
            if found[name].is_floating_point() and not found[name].isfinite().all():
                raise Refused(f"{name} holds numbers that are not finite")
        return found


def checked_shape(shape: object) -> tuple[int, ...]:
    """Return a shape if it is one: a few whole numbers, none negative."""
    if not isinstance(shape, list | tuple) or len(shape) > _DIMENSIONS:
        raise Refused("the shape of a tensor is no short list of numbers")
    if any(type(length) is not int or not 0 <= length < 2**40 for length in shape):
        raise Refused("the shape of a tensor holds something that is no length")
    return tuple(shape)


def filled(entry: Entry, stream: BinaryIO) -> Tensor:
    """Return a tensor with as many bytes of a stream as it takes, in row-major order."""
    tensor = torch.empty(entry.shape, dtype=entry.dtype)
    if not tensor.numel():
        return tensor
    room = tensor.reshape(-1).view(torch.uint8).numpy().data
    done = 0
    while done < len(room):
        chunk = stream.read(min(_CHUNK, len(room) - done))
        if not chunk:
            raise Refused("it ends in the middle of a tensor")
        room[done : done + len(chunk)] = chunk
        done += len(chunk)
    return tensor
