"""Files that strangers made: refused in one sentence, without code, other files or memory."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

CHILD = Path(__file__).with_name("reader.py")
SECONDS, BYTES = 5.0, 1 << 30


class _Canary:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.place}",)


def _safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _one(**changes: Any) -> bytes:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes
    return _safetensors({"w": entry}, bytes(8))


def _named(name: str) -> bytes:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return _safetensors({name: entry, "b": entry}, bytes(8))


def _many(count: int) -> bytes:
    header = {f"{k}": {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 1 << 22]}
              for k in range(count)}  # fmt: skip
    return _safetensors(header, bytes(1 << 22))


SAFETENSORS: dict[str, bytes] = {
    "empty": b"",
    "a header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "a header longer than the file": struct.pack("<Q", 100) + b"{}",
    "no JSON": _safetensors(b"{" * 50),
    "JSON nested a million deep": _safetensors(b"[" * 1_000_000),
    "a list": _safetensors([1, 2]),
    "metadata that are no text": _safetensors({"__metadata__": {"a": {"b": 1}}}),
    "an unknown type": _one(dtype="F128"),
    "a negative length": _one(shape=[-2, -1]),
    "a shape of a petabyte": _one(shape=[1 << 48]),
    "a shape that overflows": _one(shape=[1 << 32, 1 << 32, 4]),
    "a length that is true": _one(shape=[True, 2]),
    "a thousand dimensions": _one(shape=[1] * 1000 + [2]),
    "offsets that are no numbers": _one(data_offsets=["0", "8"]),
    "offsets outside": _one(data_offsets=[8, 16]),
    "one tensor of fractions": _one(data_offsets=[0.0, 8.0]),
    "a name of 330,000 letters": _named("denselayer1" * 30_000 + ".norm."),
    "a name that controls a terminal": _named("\x1b[2J"),
    "4 MB of empty lists": _safetensors(b"[" + b"[]," * 1_390_000 + b"1]"),
    "a list of 60 MB": _safetensors(b"[" + b"[]," * 20_000_000 + b"1]"),
    "four thousand tensors in the same 4 MB": _many(4000),
    "bytes that belong to nobody": _one() + b"more",
    "numbers that are not finite": _one()[:-4] + struct.pack("<f", float("inf")),
}


def _deflated(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def _pt(pickled: bytes, storages: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        for key, content in (storages or {}).items():
            archive.writestr(f"a/data/{key}", content)
    return out.getvalue()


def _legacy(
    pickled: bytes, keys: Any = ("0",), data: bytes = struct.pack("<Qff", 2, 1, 1)
) -> bytes:
    """Return torch's layout before 1.6 around the pickle of a value."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    head = b"".join(pickle.dumps(part, 2) for part in parts)
    return head + pickled + pickle.dumps(list(keys), 2) + data


def _tensor(count: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """Return the pickle of {"w": tensor} over a storage "0" of `count` float32."""
    place = io.BytesIO()

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, what: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", count) if what is Storage else None

    class Tensor:
        def __reduce__(self) -> Any:
            rebuilt = (Storage, 0, shape, stride, False, {})
            return torch._utils._rebuild_tensor_v2, rebuilt

    Pickler(place, protocol=2).dump({"w": Tensor()})
    return place.getvalue()


def _evaluating(text: str) -> bytes:
    return b"\x80\x02cbuiltins\neval\nX" + struct.pack("<I", len(text)) + text.encode() + b"\x85R."


def _twins(depth: int) -> bytes:
    """Tuples in tuples whose hash or text takes 2^depth steps, as a key."""
    return b"\x80\x02}" + b")" + b"2\x86" * depth + b"K\x01s."


def _repeated(first: bytes, use: bytes) -> bytes:
    """A long tuple of 100,000 numbers, used 100,000 times."""
    return b"\x80\x02" + first + b"(" + b"K\x01" * 100_000 + b"tq\x00" + use * 50_000 + b"."


_GOOD = _tensor(2, (2,), (1,))
PT: dict[str, Callable[[Path], bytes]] = {
    "no zip": lambda _: b"PK\x03\x04 and no more",
    "ten thousand members": lambda _: _pt(_GOOD, {f"{k}": b"" for k in range(10_000)}),
    "a half-written name": lambda _: _pt(b"\x80\x02cos\nsystem"),
    "a name that is called with itself": lambda _: _pt(b"\x80\x02cos\nsystem\nq\x00h\x00R."),
    "a state for a number": lambda _: _pt(b"\x80\x02K\x01}b."),
    "a call of os.system": lambda place: _pt(pickle.dumps({"w": _Canary(place)}, 2)),
    "a call named on the stack": lambda place: _pt(pickle.dumps({"w": _Canary(place)}, 4)),
    "a call of eval": lambda place: _pt(_evaluating(f"open({str(place)!r}, 'w')")),
    "a memo place of 2^31": lambda _: _pt(b"\x80\x02}r\xff\xff\xff\x7f."),
    "bytes of 2^40": lambda _: _pt(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"."),
    "a frame of 2^60": lambda _: _pt(b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"}."),
    "tuples of twins": lambda _: _pt(_twins(60)),
    "a call with 100,000 arguments, often": lambda _: _pt(
        _repeated(b"ctorch._utils\n_rebuild_parameter\nq\x01", b"h\x01h\x00R")
    ),
    "a storage described by 100,000 numbers, often": lambda _: _pt(_repeated(b"", b"h\x00Q")),
    "a name that is a long number": lambda _: _pt(
        _GOOD[:-1] + b"\x8b" + struct.pack("<I", 5000) + b"\x01" * 5000 + b"h\x00s."
    ),
    "an old storage of 2^64 bytes": lambda _: _legacy(
        _tensor((1 << 64) - 1, (2,), (1,)), data=struct.pack("<Qff", (1 << 64) - 1, 1, 1)
    ),
    "a pickle without end": lambda _: _pt(b"\x80\x02}"),
    "a pickle of many instructions": lambda _: _pt(b"\x80\x02" + b"}0" * 250_000 + b"}."),
    "a pickle that is a bomb": lambda _: _deflated("a/data.pkl", bytes(1 << 28)),
    "a storage of a petabyte": lambda _: _pt(_tensor(1 << 48, (1 << 48,), (1,)), {"0": bytes(64)}),
    "a view of strides of nothing": lambda _: _pt(
        _tensor(16, (1 << 20, 1 << 20), (0, 0)), {"0": bytes(64)}
    ),
    "a view outside its storage": lambda _: _pt(_tensor(16, (32,), (1,)), {"0": bytes(64)}),
    "a storage that is not there": lambda _: _pt(_tensor(16, (16,), (1,))),
    "a plain pickle": lambda place: pickle.dumps(_Canary(place), 2),
    "an old call of os.system": lambda place: _legacy(pickle.dumps({"w": _Canary(place)}, 2)),
    "an old call in the keys": lambda place: _legacy(_GOOD, [_Canary(place)]),
    "old keys that are no list": lambda _: _legacy(_GOOD).replace(b"]q\x00", b"}q\x00"),
    "old keys that are tuples of twins": lambda _: _legacy(_GOOD).replace(
        pickle.dumps(["0"], 2)[2:], b"]" + b")" + b"2\x86" * 60 + b"a."
    ),
    "an old storage of a petabyte": lambda _: _legacy(
        _tensor(1 << 48, (1 << 48,), (1,)), data=struct.pack("<Q", 1 << 48) + bytes(64)
    ),
    "an old storage of another size": lambda _: _legacy(_GOOD, data=struct.pack("<Qf", 1, 1)),
    "an old storage too many": lambda _: _legacy(_GOOD, ["0", "1"]),
    "an old storage that is not there": lambda _: _legacy(_GOOD, [], b""),
    "old bytes that belong to nobody": lambda _: _legacy(_GOOD) + b"more",
    "an old file that ends early": lambda _: _legacy(_GOOD)[:-4],
    "an old number that is not finite": lambda _: _legacy(
        _GOOD, data=struct.pack("<Qff", 2, 1, np.nan)
    ),
    "not finite": lambda _: _pt(_tensor(2, (2,), (1,)), {"0": struct.pack("<ff", 1, np.nan)}),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what a process of its own found of every hostile file."""
    folder = tmp_path_factory.mktemp("hostile")
    files = {}
    for kind, makers in ((".safetensors", SAFETENSORS), (".pt", PT)):
        for number, (name, make) in enumerate(makers.items()):
            content = make if isinstance(make, bytes) else make(folder / "canary")
            files[name] = folder / f"{number}{kind}"
            files[name].write_bytes(content)
    given = json.dumps([str(path) for path in files.values()])
    done = subprocess.run(
        [sys.executable, str(CHILD)], input=given, capture_output=True, text=True, check=True
    )
    assert not (folder / "canary").exists()
    return dict(zip(files, json.loads(done.stdout), strict=True))


NAMES = [*SAFETENSORS, *PT]
# what claims much and is then no more than a file that nobody wants
UNWANTED = ("a memo place of 2^31", "a frame of 2^60")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_is_refused_in_a_sentence(
    told: dict[str, dict[str, Any]], name: str
) -> None:
    actual = told[name]
    assert actual["events"] == []
    assert actual["seconds"] < SECONDS
    assert actual["bytes"] < BYTES
    if name in UNWANTED:
        assert actual["said"] == "refused as it does not fit"
    else:
        assert actual["said"].startswith("cannot read the weights")
        assert len(actual["said"]) < 400
