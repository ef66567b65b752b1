"""Odd values, and files that are something else: what the harnesses make their cases of."""

import copy
import io
import json
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 7, 1e308, -1e308, 1e-320, 10**30, -(10**30), 2**63, 2**31,
    0.5, float("nan"), float("inf"), float("-inf"), "", "x", "\x00", ESCAPE, "é\u202e\ud800",
    "x" * 100_000, "../../outside", "/dev/zero", "/", "nan", "1", [], [[]], [1, 2], [None], {},
    {"a": 1}, {"value": 1}, [[[[[[]]]]]], ["x"] * 5000, {"": {"": {}}}, "2026-13-45",
    "<script>alert(1)</script>", "=1+1", "@x", "-2+3",
    list(range(40)), {str(k): k for k in range(300)}, [1e308] * 3, "done", "running", "train",
)  # fmt: skip
WHOLE: dict[str, bytes] = {
    "empty": b"",
    "a list": b"[1, 2]",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "null": b"null",
    "a number": b"3",
    "a text": b'"x"',
    "true": b"true",
    "NaN": b"NaN",
    "half": b'{"status": "do',
    "zeros": bytes(4096),
    "noise": random.Random(5).randbytes(3000),
    "UTF-16": '{"status": "done"}'.encode("utf-16"),
    "with a mark of byte order": b'\xef\xbb\xbf{"status": "done"}',
    "Latin-1": b'{"status": "done\xe4"}',
    "brackets": b"[" * 100_000,
    "nested objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "digits": b'{"epochs": ' + b"9" * 5000 + b"}",
    "many digits in a list": b"[" + b"9" * 100_000 + b"]",
    "a long text": b'{"status": "' + b"x" * 3_000_000 + b'"}',
    "many keys": json.dumps({str(k): 0 for k in range(200_000)}).encode(),
    "twins": b'{"status": "done", "status": []}',
    "escapes": json.dumps({ESCAPE: ESCAPE}).encode(),
    "half a surrogate": b'{"status": "\\ud800"}',
    "lines": b"{}\n" * 3000,
}
NPY: dict[str, tuple[str, bytes]] = {
    "a petabyte": (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000, 4), }",
        b"",
    ),
    "four gigabytes": ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }", b""),
    "a negative length": ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }", b""),
    "no dimension": ("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", bytes(4)),
    "no rows": ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", b""),
    "no classes": ("{'descr': '<f4', 'fortran_order': False, 'shape': (8, 0), }", b""),
    "seventy dimensions": (
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(1,) * 70}, }}",
        b"",
    ),
    "objects": ("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", b"cos\nsystem\n"),
    "letters": ("{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }", bytes(32)),
    "records": (
        "{'descr': [('a', '<f4'), ('b', '<i8')], 'fortran_order': False, 'shape': (2,), }",
        bytes(24),
    ),
    "dates": ("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (8, 2), }", bytes(128)),
    "complex numbers": ("{'descr': '<c8', 'fortran_order': False, 'shape': (8, 2), }", bytes(128)),
    "bytes": ("{'descr': '|u1', 'fortran_order': False, 'shape': (8, 2), }", bytes(16)),
    "half floats": ("{'descr': '<f2', 'fortran_order': True, 'shape': (8, 2), }", bytes(32)),
    "a call": ("{'descr': __import__('os').system('x'), 'shape': (1,), }", b""),
    "brackets": ("[" * 9000, b""),
    "zeros": ("\x00" * 200, b""),
    "another key": ("{'descr': '<f4', 'shape': (1,), 'x': 1}", bytes(4)),
}


def npy(name: str) -> bytes:
    """Return an .npy file of `NPY`."""
    header, data = NPY[name]
    text = header.encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def saved(array: Any) -> bytes:
    """Return the .npy file of an array."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


def arrays(chance: random.Random) -> bytes:
    """Return an .npy file of sound shape and odd numbers."""
    rows, classes = chance.choice([1, 6, 7, 8, 1000]), chance.choice([1, 2, 3, 50])
    made = chance.choice(
        [
            np.full((rows, classes), np.nan, np.float32),
            np.full((rows, classes), np.inf, np.float32),
            np.full((rows, classes), 3e38, np.float32),
            np.zeros((rows, classes), np.float32),
            np.zeros((rows,), np.int64),
            np.full((rows,), -1, np.int64),
            np.full((rows,), 2**62, np.int64),
            np.full((rows,), 99, np.int64),
            np.zeros((rows, classes, 2), np.float32),
            np.zeros((rows,), np.float64),
            np.zeros((rows,), bool),
        ]
    )
    return saved(made)


def changed(document: Any, chance: random.Random, times: int = 1) -> tuple[str, Any]:
    """Return words, and a JSON value with so many places changed, deleted or added to."""
    document, words = copy.deepcopy(document), []
    for _ in range(times):
        place, holder, key = _somewhere(document, chance)
        deed = chance.choice(["set", "set", "set", "delete", "add"])
        value = copy.deepcopy(chance.choice(VALUES))
        if holder is None:
            continue
        if deed == "delete":
            del holder[key]
        elif deed == "add" and isinstance(holder, dict):
            holder[chance.choice(["x", "", ESCAPE, "__class__", "k" * 2000])] = value
        else:
            holder[key] = value
        words.append(f"{deed} {place} {str(value)[:20]!r}")
    return ", ".join(words), document


def _somewhere(document: Any, chance: random.Random) -> tuple[str, Any, Any]:
    """Return a path, and holder and key, of a random place, near the top more often."""
    path, holder, key, value = "", None, None, document
    while isinstance(value, dict | list) and value and (holder is None or chance.random() < 0.6):
        holder = value
        key = (
            chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        )
        value, path = value[key], f"{path}.{key}"
    return path, holder, key


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with some bits flipped, the end cut off, zeros, or a stretch twice."""
    mutable, kind = bytearray(data), chance.choice(["flip", "head", "cut", "zero", "twice"])
    if not mutable:
        return b"x"
    start = chance.randrange(len(mutable))
    if kind == "cut":
        return bytes(mutable[:start])
    if kind == "twice":
        return bytes(mutable[:start] + mutable[start // 2 :])
    if kind == "zero":
        length = min(chance.randrange(1, 64), len(mutable) - start)
        mutable[start : start + length] = bytes(length)
        return bytes(mutable)
    most = min(len(mutable), 128) if kind == "head" else len(mutable)
    for _ in range(chance.randrange(1, 9)):
        mutable[chance.randrange(most)] ^= 1 << chance.randrange(8)
    return bytes(mutable)


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(6 << 30)


def _socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


# what stands in a file's place
PLACES: dict[str, Callable[[Path], None]] = {
    "missing": lambda _: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": _link("nothing-there"),
    "a link to zeros": _link("/dev/zero"),
    "a link to a full disk": _link("/dev/full"),
    "a link to /proc": _link("/proc/self/mem"),
    "six gigabytes of holes": _sparse,
    "not to be read": lambda path: (path.write_bytes(b"{}"), path.chmod(0))[0] and None,
}


def replace(path: Path, kind: str) -> None:
    """Put something of `PLACES` in the place of a file or folder."""
    remove(path)
    PLACES[kind](path)


def link(path: Path, target: Path) -> None:
    """Put a link in the place of a file or folder."""
    remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
