"""torch.save's zip: a pickle that describes the tensors, and a member for each storage."""

import math
import zipfile
from functools import partial
from typing import Any, BinaryIO

import torch
from torch import Tensor

from hundredfold.weights import _zip
from hundredfold.weights._contents import Contents, Entry, Refused, checked_shape, filled
from hundredfold.weights._pickle import View, interpret

_DTYPES = {
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
_PICKLE = 1 << 19  # bytes; a tensor takes about 150
_NESTED = ("state_dict", "model_state_dict", "model")


def read(file: BinaryIO) -> Contents:
    """Return the tensors of a state dict, or of the one below "state_dict" or "model"."""
    archive = _zip.opened(file)
    roots = [n[: -len("data.pkl")] for n in archive.namelist() if n.endswith("/data.pkl")]
    if len(roots) != 1:
        raise Refused("torch did not write it, or did so before version 1.6: save it anew")
    root = roots[0]
    if (
        f"{root}byteorder" in archive.namelist()
        and _small(archive, f"{root}byteorder") != b"little"
    ):
        raise Refused("its numbers are big-endian")
    views = _views(interpret(_small(archive, f"{root}data.pkl")))
    for name, view in views.items():
        _need_within(archive, root, name, view)
    entries = {name: Entry(_DTYPES[v.stored.kind], v.shape) for name, v in views.items()}
    return Contents(entries, partial(_tensor, archive, root, views))


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member of at most half a MB, whatever its header says of it."""
    try:
        with archive.open(_zip.member(archive, name)) as stream:
            content = stream.read(_PICKLE + 1)
    except _zip.DAMAGE as error:
        raise Refused(f"its member {name[:80]!r} is damaged ({error})") from None
    if len(content) > _PICKLE:
        raise Refused(f"its member {name[:80]!r} is too large")
    return content


def _views(value: Any) -> dict[str, View]:
    for key in _NESTED:
        if isinstance(value, dict) and isinstance(value.get(key), dict):
            value = value[key]
            break
    if not isinstance(value, dict):
        raise Refused("it holds no dictionary of tensors")
    return {str(name): view for name, view in value.items() if isinstance(view, View)}


def _need_within(archive: zipfile.ZipFile, root: str, name: str, view: View) -> None:
    """Check that a tensor has a plain type and lies, without gaps, in a storage of the file."""
    shape, stride = checked_shape(view.shape), checked_shape(view.stride)
    if view.stored.kind not in _DTYPES or len(shape) != len(stride) or view.offset < 0:
        raise Refused(f"{name[:80]} is not a plain tensor")
    last = sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    count = math.prod(shape)
    if count and (last + 1 != count or view.offset + count > view.stored.count):
        raise Refused(f"{name[:80]} is no dense part of its storage")
    member = _zip.member(archive, f"{root}data/{view.stored.key}")
    wanted = view.stored.count * _DTYPES[view.stored.kind].itemsize
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != wanted:
        raise Refused(f"the storage of {name[:80]} has another number of bytes than it says")


def _tensor(archive: zipfile.ZipFile, root: str, views: dict[str, View], name: str) -> Tensor:
    view = views[name]
    entry = Entry(_DTYPES[view.stored.kind], (math.prod(view.shape),))
    try:
        with archive.open(f"{root}data/{view.stored.key}") as stream:
            stream.seek(view.offset * entry.dtype.itemsize)
            dense = filled(entry, stream)  # type: ignore[arg-type]
    except _zip.DAMAGE as error:
        raise Refused(f"{name[:80]} is damaged ({error})") from None
    return dense.as_strided(view.shape, view.stride).contiguous()
