"""Decoded images on disk: written once, whole or not at all, then memory-mapped read-only.

    cache/data/<group>/<key>/   one part of a data set
        pixels.npy              (n, size, size, 3) uint8
        labels.npy              (n,) int64
        about.json              digest, file names, sizes of the two files above

The key says what is decoded (a checksum and the options), so a part is never stale. Parts
lie apart: opening one neither opens nor decodes another.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.data import _files
from hundredfold.data._types import Split
from hundredfold.errors import DataError

KEPT = 4  # versions of a part that stay in the cache
_FORMAT = 1  # raise it when the files, or the way any data set is decoded, change
_DAY = 86400.0


@dataclass(frozen=True)
class Rows:
    """A part as it comes out of decoding.

    blocks: (b, size, size, 3) uint8 each; together as many images as there are labels.
    names:  one file name per image, or ().
    """

    labels: NDArray[np.int64]
    size: int
    blocks: Iterable[NDArray[np.uint8]]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A decoded part in the cache; `digest` is the sha256 of its pixels and labels."""

    folder: Path
    digest: str
    names: tuple[str, ...]

    def open(self) -> Split:
        """Map the pixels and read the labels."""
        pixels = np.load(self.folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(self.folder / "labels.npy", allow_pickle=False)
        labels.setflags(write=False)
        return Split(pixels, labels, np.arange(len(labels)), self.names)


def prepare(cache: Path, group: str, key: str, decode: Callable[[], Rows]) -> Part:
    """Return the part called `key`, decoding it if the cache does not have it.

    Two processes may prepare the same part at once: each writes a folder of its own, and the
    first to rename it wins.
    """
    home = cache / "data" / group
    folder = home / hashlib.sha256(f"{_FORMAT} {key}".encode()).hexdigest()[:32]
    if (part := _read(folder)) is not None:
        return part
    with _files.writing(cache):
        home.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    try:
        rows = decode()
        with _files.writing(cache):
            _write(fresh, rows)
            part = _settle(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _tidy(home)
    return part


def digest(parts: Iterable[Part], classes: Iterable[str]) -> str:
    """Return the sha256 hex of what training sees: the parts' images and labels, the classes."""
    told = [[part.digest for part in parts], list(classes)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _read(folder: Path) -> Part | None:
    """Return a part, or None where it is absent or a file has lost its size."""
    about = _files.read_json(folder / "about.json")
    try:
        whole = all((folder / n).stat().st_size == s for n, s in about["bytes"].items())
    except (OSError, KeyError):
        return None
    return Part(folder, about["digest"], tuple(about["names"])) if whole else None


def _write(folder: Path, rows: Rows) -> None:
    count, size = len(rows.labels), rows.size
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    total, written = hashlib.sha256(f"{count} {size}".encode()), 0
    with (folder / "pixels.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for block in rows.blocks:
            data = np.ascontiguousarray(block, np.uint8).data
            stream.write(data)
            total.update(data)
            written += len(block)
        _files.flush(stream)
    if written != count:
        raise DataError(f"{written} images were decoded for {count} labels")
    labels = np.ascontiguousarray(rows.labels, "<i8")
    total.update(labels.data)
    with (folder / "labels.npy").open("wb") as stream:
        np.save(stream, labels)
        _files.flush(stream)
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    about = {"digest": total.hexdigest(), "names": rows.names, "bytes": sizes}
    files.write_json(folder / "about.json", about)


def _settle(fresh: Path, folder: Path) -> Part:
    """Give a finished folder its name, unless another process was first."""
    if _read(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
    try:
        fresh.rename(folder)
        files.sync_folder(folder.parent)
    except OSError:
        if _read(folder) is None:
            raise
    part = _read(folder)
    if part is None:
        raise DataError(f"{folder} was damaged while it was written", remedy="start again")
    return part


def _tidy(home: Path) -> None:
    """Drop old versions, and what a killed process left; a mapped file outlives its name."""
    entries = sorted((f for f in home.iterdir() if f.is_dir()), key=_age)
    old = [f for f in entries if not f.name.startswith(".")][KEPT:]
    left = [f for f in entries if f.name.startswith(".") and _age(f) > _DAY]
    for folder in old + left:
        shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:  # another process dropped it
        return 0.0
