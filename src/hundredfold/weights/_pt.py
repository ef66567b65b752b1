"""torch.save's zip format: a pickle of the tensors, and a member for each storage."""

import zipfile
from functools import partial
from typing import BinaryIO

from torch import Tensor

from hundredfold.weights import _legacy, _views, _zip
from hundredfold.weights._contents import Contents
from hundredfold.weights._header import Refused, shown
from hundredfold.weights._pickle import View, interpret

_PICKLE = 1 << 19  # bytes at most; a tensor takes about 150


def read(file: BinaryIO) -> Contents:
    """Return the contents of a state dict, in the zip format or the one before it."""
    start = file.read(4)
    file.seek(0)
    return _zipped(file) if start == b"PK\x03\x04" else _legacy.read(file)


def _zipped(file: BinaryIO) -> Contents:
    archive = _zip.opened(file)
    roots = [n[: -len("data.pkl")] for n in archive.namelist() if n.endswith("/data.pkl")]
    if len(roots) != 1:
        raise Refused("torch did not write it")
    root = roots[0]
    if (
        f"{root}byteorder" in archive.namelist()
        and _small(archive, f"{root}byteorder") != b"little"
    ):
        raise Refused("its numbers are big-endian")
    views, note = _views.views(interpret(_small(archive, f"{root}data.pkl")).value)
    for name, view in views.items():
        _need_member(archive, root, name, view)
    return Contents(_views.entries(views), partial(_tensor, archive, root, views), note=note)


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member of at most `_PICKLE` bytes, whatever its header declares."""
    try:
        with archive.open(_zip.member(archive, name)) as stream:
            content = stream.read(_PICKLE + 1)
    except _zip.DAMAGE as error:
        raise Refused(f"its member {shown(name)} is damaged ({str(error)[:200]})") from None
    if len(content) > _PICKLE:
        raise Refused(f"its member {shown(name)} is too large")
    return content


def _need_member(archive: zipfile.ZipFile, root: str, name: str, view: View) -> None:
    """Raise Refused unless a tensor's storage is uncompressed and of the declared size."""
    member = _zip.member(archive, f"{root}data/{view.stored.key}")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != _views.size(view.stored):
        raise Refused(f"the storage of {shown(name)} has another number of bytes than it says")


def _tensor(archive: zipfile.ZipFile, root: str, views: dict[str, View], name: str) -> Tensor:
    try:
        with archive.open(f"{root}data/{views[name].stored.key}") as stream:
            return _views.tensor(views[name], stream)  # type: ignore[arg-type]
    except _zip.DAMAGE as error:
        raise Refused(f"{shown(name)} is damaged ({str(error)[:200]})") from None
