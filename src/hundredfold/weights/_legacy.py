"""torch.save's format before version 1.6, still common among published .pth files.

pickles     a magic number, the version, the machine's sizes, the value, the storages' keys
storages    in the order of the keys: eight bytes of count, then the numbers
"""

import io
import os
from functools import partial
from typing import BinaryIO

from torch import Tensor

from hundredfold.weights import _views
from hundredfold.weights._contents import Contents
from hundredfold.weights._header import Refused, shown
from hundredfold.weights._pickle import Stored, View, interpret

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_HEAD = 1 << 20  # bytes of pickles; a tensor takes about 200


def read(file: BinaryIO) -> Contents:
    """Return the contents of a file. Raises Refused where its pickles do not match its size."""
    head = io.BytesIO(file.read(_HEAD))
    if head.read(2) != b"\x80\x02":
        raise Refused("torch did not write it")
    head.seek(0)
    if interpret(head).value != _MAGIC or interpret(head).value != _VERSION:
        raise Refused("torch did not write it")
    sizes = interpret(head).value
    if not isinstance(sizes, dict) or sizes.get("little_endian") is not True:
        raise Refused("its numbers are not said to be little-endian")
    value, storages = interpret(head)
    views, note = _views.views(value)
    keys = interpret(head).value
    starts = _starts(file, head.tell(), keys, storages)
    if missing := next((v.stored.key for v in views.values() if v.stored.key not in starts), None):
        raise Refused(f"it lacks the storage {shown(missing)}")
    return Contents(_views.entries(views), partial(_tensor, file, views, starts), note=note)


def _starts(
    file: BinaryIO, offset: int, keys: object, storages: dict[str, Stored]
) -> dict[str, int]:
    """Return the offset in bytes of each storage's numbers; offset: of the first one's count.

    Raises Refused unless the storages fill the file.
    """
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused("its list of storages is none")
    if len(keys) != len(storages) or set(keys) != storages.keys():
        raise Refused("its list of storages is not that of its pickle")
    starts, end = {}, os.fstat(file.fileno()).st_size
    for key in keys:
        if offset > end:
            break
        file.seek(offset)
        if int.from_bytes(file.read(8), "little") != storages[key].count:
            raise Refused(f"the storage {shown(key)} has another size than its pickle says")
        starts[key] = offset + 8
        offset = starts[key] + _views.size(storages[key])
    if offset != end:
        raise Refused("its storages do not end where the file ends")
    return starts


def _tensor(file: BinaryIO, views: dict[str, View], starts: dict[str, int], name: str) -> Tensor:
    return _views.tensor(views[name], file, starts[views[name].stored.key])
