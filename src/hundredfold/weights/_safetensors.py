"""The safetensors format: 8 bytes of length, a JSON header, the tensors' bytes without gaps.

The format is that of https://github.com/huggingface/safetensors (README, "Format").
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from hundredfold import files
from hundredfold.weights import _header
from hundredfold.weights._contents import Contents, Entry, checked_shape, filled
from hundredfold.weights._header import Refused, shown

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Replace a file atomically and return its SHA-256; equal content gives equal bytes.

    Tensors are written one by one, without a copy of all.
    """
    digest = hashlib.sha256()

    def put(file: BinaryIO) -> None:
        for piece in _pieces(tensors, metadata):
            file.write(piece)
            digest.update(piece)

    files.write(path, put)
    return digest.hexdigest()


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 that `write` would return, without metadata."""
    digest = hashlib.sha256()
    for piece in _pieces(tensors, {}):
        digest.update(piece)
    return digest.hexdigest()


def size(tensors: Mapping[str, Tensor]) -> int:
    """Return the bytes that `write` would write, without metadata."""
    return len(_written_header(tensors, {})) + sum(tensor.nbytes for tensor in tensors.values())


def read(file: BinaryIO) -> Contents:
    """Return the contents of a file. Raises Refused where the header does not match the file."""
    header = _header.read(file)
    locations = {name: _location(name, entry) for name, entry in header.tensors.items()}
    _need_gapless(locations, header.end - header.start)
    entries = {name: entry for name, (entry, _) in locations.items()}
    return Contents(entries, partial(_tensor, file, header.start, locations), header.metadata)


def _location(name: str, entry: Any) -> tuple[Entry, int]:
    """Return a tensor's entry and the offset of its bytes after the header."""
    try:
        dtype, (begin, end) = DTYPES[entry["dtype"]], entry["data_offsets"]
        tensor_entry = Entry(dtype, checked_shape(entry["shape"]))
    except (KeyError, TypeError, ValueError):
        raise Refused(f"{shown(name)} is not described as a tensor") from None
    if type(begin) is not int or type(end) is not int or end - begin != tensor_entry.bytes:
        raise Refused(f"{shown(name)} has another number of bytes than its shape")
    return tensor_entry, begin


def _need_gapless(locations: Mapping[str, tuple[Entry, int]], total: int) -> None:
    """Raise Refused unless every byte after the header belongs to exactly one tensor."""
    end = 0
    for entry, begin in sorted(
        locations.values(), key=lambda location: (location[1], location[0].bytes)
    ):
        if begin != end:
            raise Refused("its tensors overlap or leave gaps")
        end += entry.bytes
    if end != total:
        raise Refused(f"its tensors take {end:,} bytes and the file has {total:,}")


def _tensor(
    file: BinaryIO, start: int, locations: Mapping[str, tuple[Entry, int]], name: str
) -> Tensor:
    entry, begin = locations[name]
    file.seek(start + begin)
    return filled(entry, file)


def _pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[Any]:
    yield _written_header(tensors, metadata)
    for _, tensor in _ordered(tensors):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().data


def _written_header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    begin = 0
    for name, tensor in _ordered(tensors):
        end = begin + tensor.nbytes
        shape = list(tensor.shape)
        offsets = [begin, end]
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": shape, "data_offsets": offsets}
        begin = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _ordered(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """Sort by item size, largest first, which aligns every tensor to its item size."""
    return sorted(tensors.items(), key=lambda pair: (-pair[1].dtype.itemsize, pair[0]))
