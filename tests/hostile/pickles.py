"""Files of torch.save that a stranger made: calls, bombs, odd numbers and names."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hostile import odd

LONG = "w" * 300_000


class _Canary:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        import os

        return os.system, (f"touch {self.place}",)


def zipped(pickled: bytes, kind: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """Return torch's zip around a pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        archive.writestr("a/data.pkl", pickled)
        for name, content in members.items():
            archive.writestr(f"a/data/{name.removeprefix('_')}", content)
    return stream.getvalue()


@cache
def sound(legacy: bool, wrapped: str) -> bytes:
    """Return a sound file of another network's tensors."""
    import torch

    stream = io.BytesIO()
    tensors = {f"layer{k}.weight": torch.ones(4, 4) for k in range(5)}
    state = {wrapped: tensors, "epoch": 3} if wrapped else tensors
    torch.save(state, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "half a zip": lambda _: b"PK\x03\x04 and no more",
    "a call": lambda w: zipped(pickle.dumps({"w": _Canary(w / "outside" / "ran")}, 2)),
    "a call by the stack": lambda w: zipped(pickle.dumps({"w": _Canary(w / "outside" / "ran")}, 4)),
    "a bare call": lambda w: pickle.dumps(_Canary(w / "outside" / "ran"), 2),
    "a bomb": lambda _: zipped(bytes(1 << 28), zipfile.ZIP_DEFLATED),
    "a bomb of a storage": lambda _: zipped(b"\x80\x02}.", zipfile.ZIP_DEFLATED, _0=bytes(1 << 28)),
    "many members": lambda _: zipped(b"\x80\x02}.", **{f"_{k}": b"" for k in range(20_000)}),
    "a name of 300 kB": lambda _: zipped(pickle.dumps({LONG: 1}, 2)),
    "a name of escapes": lambda _: zipped(pickle.dumps({odd.ESCAPE: 1}, 2)),
    "names of escapes that are called": lambda _: zipped(b"\x80\x02c" + b"os\x1b[2J\nsystem\n."),
    "a long global": lambda _: zipped(b"\x80\x02c" + b"o" * 500_000 + b"\nsystem\n."),
    "a number of 5,000 digits": lambda _: zipped(b"I" + b"9" * 5000 + b"\n."),
    "a long number": lambda _: zipped(
        b"\x80\x02\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20) + b"."
    ),
    "tuples of twins": lambda _: zipped(b"\x80\x02}" + b")" + b"2\x86" * 60 + b"K\x01s."),
    "lists in lists": lambda _: zipped(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."),
    "many instructions": lambda _: zipped(b"\x80\x02" + b"}0" * 3_000_000 + b"}."),
    "a deep stack": lambda _: zipped(b"\x80\x02" + b"}" * 3_000_000 + b"."),
    "a wide memo": lambda _: zipped(b"\x80\x02}r\xff\xff\xff\x7f."),
    "a list that holds itself": lambda _: zipped(b"\x80\x02]q\x00h\x00a."),
    "a dictionary that holds itself": lambda _: zipped(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."),
    "a list": lambda _: zipped(pickle.dumps([1, 2], 2)),
    "a number": lambda _: zipped(pickle.dumps(3, 2)),
    "null": lambda _: zipped(pickle.dumps(None, 2)),
    "odd keys": lambda _: zipped(pickle.dumps({1: 2, None: 3, (1,): 4}, 2)),
    "state_dict of null": lambda _: zipped(pickle.dumps({"state_dict": None}, 2)),
    "state_dict of a number": lambda _: zipped(pickle.dumps({"model": 7, "state_dict": 3}, 2)),
    "nested state_dicts": lambda _: zipped(
        b"\x80\x02" + b"}X\x0a\x00\x00\x00state_dict" * 3000 + b"}" + b"s" * 3000 + b"."
    ),
    "another network": lambda _: sound(False, ""),
    "another network inside": lambda _: sound(False, "state_dict"),
    "another network, old": lambda _: sound(True, ""),
    "another network inside, old": lambda _: sound(True, "model"),
}
