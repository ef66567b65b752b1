"""NumPy's .npz: a zip of arrays, each with a header of its own."""

import zipfile
import zlib
from functools import partial
from typing import IO, BinaryIO

import numpy as np
import torch
from torch import Tensor

from hundredfold.weights import _zip
from hundredfold.weights._contents import Contents, Entry, Refused, checked_shape, filled

_DTYPES = {
    "<f8": torch.float64,
    "<f4": torch.float32,
    "<f2": torch.float16,
    "<i8": torch.int64,
    "<i4": torch.int32,
    "<i2": torch.int16,
    "|i1": torch.int8,
    "|u1": torch.uint8,
    "|b1": torch.bool,
}
_DAMAGE = (*_zip.DAMAGE, zlib.error, OSError)


def read(file: BinaryIO) -> Contents:
    """Return what a file holds: the arrays' names without ".npy"."""
    archive = _zip.opened(file)
    names = [m.filename for m in archive.infolist() if m.filename.endswith(".npy")]
    entries = {name.removesuffix(".npy"): _entry(archive, name)[0] for name in names}
    return Contents(entries, partial(_tensor, archive))


def _entry(archive: zipfile.ZipFile, name: str) -> tuple[Entry, bool]:
    """Return an array's entry, and whether its columns come first."""
    member = _zip.member(archive, name)
    try:
        with archive.open(member) as stream:
            entry, columns_first = _header(stream)
            length = stream.tell() + entry.bytes
    except _DAMAGE as error:
        raise Refused(f"{name[:80]} is no array ({error})") from None
    if length != member.file_size:
        raise Refused(f"{name[:80]} has another number of bytes than its shape")
    return entry, columns_first


def _header(stream: IO[bytes]) -> tuple[Entry, bool]:
    if np.lib.format.read_magic(stream) != (1, 0):  # others may have headers of 4 GB
        raise Refused("an array's header is of an unusual version")
    shape, columns_first, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.str not in _DTYPES:
        raise Refused(f"an array holds {dtype.str[:20]}, which is no plain number")
    return Entry(_DTYPES[dtype.str], checked_shape(shape)), columns_first


def _tensor(archive: zipfile.ZipFile, name: str) -> Tensor:
    try:
        entry, columns_first = _entry(archive, f"{name}.npy")
        with archive.open(f"{name}.npy") as stream:
            _header(stream)
            if not columns_first:
                return filled(entry, stream)  # type: ignore[arg-type]
            turned = filled(Entry(entry.dtype, entry.shape[::-1]), stream)  # type: ignore[arg-type]
            return turned.permute(*reversed(range(turned.dim()))).contiguous()
    except _DAMAGE as error:
        raise Refused(f"{name[:80]} is damaged ({error})") from None
