"""torch.save's layout before version 1.6, that of many a published .pth.

pickles     a magic number, the version, the machine's sizes, the value, the storages' keys
storages    in the order of the keys: eight bytes of count, then the numbers
"""

import io
import os
from functools import partial
from typing import BinaryIO

from torch import Tensor

from hundredfold.weights import _views
from hundredfold.weights._contents import Contents, Refused
from hundredfold.weights._pickle import Stored, View, interpret

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_HEAD = 1 << 20  # bytes of pickles; a tensor takes about 200


def read(file: BinaryIO) -> Contents:
    """Return what a file holds. Raises Refused where its pickles do not fit the file."""
    head = io.BytesIO(file.read(_HEAD))
    if head.read(2) != b"\x80\x02":
        raise Refused("torch did not write it")
    head.seek(0)
    if interpret(head).value != _MAGIC or interpret(head).value != _VERSION:
        raise Refused("torch did not write it")
    about = interpret(head).value
    if not isinstance(about, dict) or about.get("little_endian") is not True:
        raise Refused("its numbers are not said to be little-endian")
    value, storages = interpret(head)
    views = _views.views(value)
    keys = interpret(head).value
    starts = _starts(file, head.tell(), keys, storages)
    if missing := next((v.stored.key for v in views.values() if v.stored.key not in starts), None):
        raise Refused(f"it lacks the storage {missing[:80]!r}")
    return Contents(_views.entries(views), partial(_tensor, file, views, starts))


def _starts(
    file: BinaryIO, place: int, keys: object, storages: dict[str, Stored]
) -> dict[str, int]:
    """Return where the numbers of each storage begin, the first one's count lying at `place`.

    All of them have to be in the file.
    """
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused("its list of storages is none")
    if sorted(keys) != sorted(storages):
        raise Refused("its list of storages is not that of its pickle")
    found = {}
    for key in keys:
        file.seek(place)
        if int.from_bytes(file.read(8), "little") != storages[key].count:
            raise Refused(f"the storage {key[:80]!r} has another size than its pickle says")
        found[key] = place + 8
        place = found[key] + _views.size(storages[key])
    if place != os.fstat(file.fileno()).st_size:
        raise Refused("its storages do not end where the file ends")
    return found


def _tensor(file: BinaryIO, views: dict[str, View], starts: dict[str, int], name: str) -> Tensor:
    return _views.tensor(views[name], file, starts[views[name].stored.key])
