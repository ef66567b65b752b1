"""Decoded images on disk: written once, whole or not at all, then memory-mapped read-only.

    cache/data/<group>/<key>/   one part of a data set
        pixels.npy              (n, size, size, 3) uint8
        labels.npy              (n,) int64
        about.json              digest, file names, what was left out, sizes of the files above

The key says what is decoded (a checksum and the options), so a part is never stale. Parts
lie apart: opening one neither opens nor decodes another.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.data import _files
from hundredfold.data._types import Split
from hundredfold.errors import DataError

KEPT = 4  # versions of a part that stay in the cache
_FORMAT = 1  # raise it when the files, or the way any data set is decoded, change
_DAY = 86400.0
_READ = 1024  # images


@dataclass(frozen=True)
class Rows:
    """A part as it comes out of decoding.

    blocks: (b, size, size, 3) uint8 each; together as many images as there are labels, less
            those left out.
    names:  one file name per image, or ().
    bad:    why a row has no image; filled while the blocks are made, read when they are done.
    """

    labels: NDArray[np.int64]
    size: int
    blocks: Iterable[NDArray[np.uint8]]
    names: tuple[str, ...] = ()
    bad: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A decoded part in the cache; `digest` is the sha256 of its pixels and labels.

    left_out: the files that could not be read, each with the reason.
    """

    folder: Path
    digest: str
    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()

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
    return digest_of([part.digest for part in parts], classes)


def digest_of(parts: Sequence[str], classes: Iterable[str]) -> str:
    """Return the sha256 hex of the digests of parts, and the classes."""
    told = [list(parts), list(classes)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _read(folder: Path) -> Part | None:
    """Return a part, or None where it is absent or a file has lost its size."""
    about = _files.read_json(folder / "about.json")
    try:
        whole = all((folder / n).stat().st_size == s for n, s in about["bytes"].items())
    except (OSError, KeyError):
        return None
    left_out = tuple((name, reason) for name, reason in about.get("left_out", ()))
    return Part(folder, about["digest"], tuple(about["names"]), left_out) if whole else None


def _write(folder: Path, rows: Rows) -> None:
    count = _write_pixels(folder / "pixels.npy", rows)
    kept = [row for row in range(len(rows.labels)) if row not in rows.bad]
    if count != len(kept):
        raise DataError(f"{count} images were decoded for {len(kept)} labels")
    labels = np.ascontiguousarray(rows.labels[kept], "<i8")
    with (folder / "labels.npy").open("wb") as stream:
        np.save(stream, labels)
        _files.flush(stream)
    names = [rows.names[row] for row in kept] if rows.names else []
    about = {
        "digest": pixels_digest(_mapped(folder / "pixels.npy", len(labels)), labels, rows.size),
        "names": names,
        "left_out": [(rows.names[row], reason) for row, reason in sorted(rows.bad.items())],
        "bytes": {file.name: file.stat().st_size for file in folder.iterdir()},
    }
    files.write_json(folder / "about.json", about)


def _write_pixels(file: Path, rows: Rows) -> int:
    """Write the images and return how many there were."""
    with file.open("wb") as stream:
        _write_header(stream, len(rows.labels), rows.size)
        start, count = stream.tell(), 0
        for block in rows.blocks:
            stream.write(np.ascontiguousarray(block, np.uint8).data)
            count += len(block)
        if count != len(rows.labels):  # NumPy leaves room in the header for another count
            stream.seek(0)
            _write_header(stream, count, rows.size)
            if stream.tell() != start:
                raise DataError(f"the header of {file} does not fit", remedy="remove bad files")
        _files.flush(stream)
    return count


def _write_header(stream: IO[bytes], count: int, size: int) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    np.lib.format.write_array_header_1_0(stream, header)


def pixels_digest(pixels: NDArray[np.uint8], labels: NDArray[np.int64], size: int) -> str:
    """Return the sha256 hex of images (n, size, size, 3) and their labels."""
    total = hashlib.sha256(f"{len(labels)} {size}".encode())
    for start in range(0, len(pixels), _READ):
        total.update(np.ascontiguousarray(pixels[start : start + _READ]).data)
    total.update(labels.data)
    return total.hexdigest()


def _mapped(pixels: Path, count: int) -> NDArray[np.uint8]:
    mode: Literal["r"] | None = "r" if count else None  # an empty file cannot be mapped
    return np.load(pixels, mmap_mode=mode, allow_pickle=False)  # type: ignore[no-any-return]


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
