"""The header of a safetensors file, read within limits; imports no torch.

The format is that of https://github.com/huggingface/safetensors (README, "Format").
"""

import json
import os
from typing import Any, BinaryIO, NamedTuple

from hundredfold.errors import shortened

_HEADER = 4 << 20  # bytes at most; a tensor takes about 100
NAME = 500  # characters of a tensor's name at most


class Refused(Exception):
    """A file of weights is damaged or hostile; the message says how."""


class Header(NamedTuple):
    """The descriptions of tensors by name, the metadata, and where the numbers begin and end."""

    tensors: dict[str, Any]
    metadata: dict[str, str]
    start: int
    end: int


def read(file: BinaryIO) -> Header:
    """Return the header of a file. Raises Refused where it is too long or of another shape."""
    total = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(_HEADER, total - 8):
        raise Refused(f"a header of {length:,} bytes in a file of {total:,}")
    tensors = _parsed(file.read(length))
    metadata = tensors.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Refused("its metadata are not text")
    _need_unicode([*tensors, *metadata, *metadata.values()])
    return Header(tensors, metadata, 8 + length, total)


def shown(name: str) -> str:
    """Return a name from a file for a message: quoted where it is long or not printable."""
    return name if name.isprintable() and len(name) <= 80 else shortened(name, 80)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        header = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise Refused("its header is not JSON") from None
    if not isinstance(header, dict):
        raise Refused("its header is not a table of tensors")
    return header


def _need_unicode(texts: list[str]) -> None:
    """Raise Refused for half a character (a surrogate), which JSON can hold and files cannot."""
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:
        raise Refused("its header holds halves of characters") from None
