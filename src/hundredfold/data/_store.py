"""Decoded images in the cache: written once and atomically, then memory-mapped read-only.

    cache/data/<group>/<key>/   one part of a data set
        pixels.npy              (n, height, width, 3) uint8; or images.bin, see `_packed`
        labels.npy              (n,) int64
        about.json              sha256 of these files; digest, file names and files left out

The key is a digest of the source files and the options, so a part is never stale. Parts are
separate: opening one neither opens nor decodes another.

Before a process first opens a part it reads its files once and compares their sha256: a second for
two gigabytes, and sets that are larger than four keep JPEGs, each checked as it is read. A part
that differs is decoded anew.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hundredfold import machine
from hundredfold.cache import Store
from hundredfold.data._packed import IMAGES, Packed, Pixels
from hundredfold.data._rows import Rows, write
from hundredfold.data._types import Split
from hundredfold.size import PlainSize, Size

KEPT = 4  # versions of a part that stay in the cache
_MOST_BYTES = 4 * 2**30  # of pixels; more are kept as JPEGs
_MOST_OF_DISK = 0.1  # of what is free
_VERSION = 2  # raise it when the file format or the decoding of any data set changes


@dataclass(frozen=True)
class Part:
    """A decoded part in the cache; `digest` is the sha256 of its pixels and labels.

    left_out: the files that could not be read, each with the reason.
    packed:   the size in pixels of images that are kept as JPEGs; 0 where pixels are kept.
    """

    folder: Path
    digest: str
    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    packed: PlainSize = 0

    def open(self) -> Split:
        """Map the pixels, or open the packed images, and read the labels."""
        pixels: Pixels = (
            Packed(self.folder, self.packed)
            if self.packed
            else np.load(self.folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        )
        labels = np.load(self.folder / "labels.npy", allow_pickle=False)
        labels.setflags(write=False)
        return Split(pixels, labels, np.arange(len(labels)), self.names)


def prepare(cache: Path, group: str, key: str, decode: Callable[[], Rows]) -> Part:
    """Return the part of a key; decode it where the cache has none or a damaged one.

    Raises DataError where the cache cannot be written, and whatever `decode` raises.
    """
    store = _store(cache, group)
    entry = store.make(store.key(key), lambda folder: write(folder, decode()))
    facts = entry.facts
    left_out = tuple((name, reason) for name, reason in facts["left_out"])
    names = tuple(facts["names"])
    return Part(entry.folder, facts["digest"], names, left_out, facts.get("packed", 0))


def exists(cache: Path, group: str, key: str) -> bool:
    """Return whether the cache has a part of a key, damaged or not."""
    store = _store(cache, group)
    return store.path(store.key(key)).is_dir()


def is_large(cache: Path, images: int, size: Size) -> bool:
    """Return whether the pixels of images would take too much of the disk that the cache is on."""
    folder, _ = machine.nearest_folder(cache)
    free = shutil.disk_usage(folder).free
    return images * size.area * 3 > min(_MOST_BYTES, _MOST_OF_DISK * free)


def _store(cache: Path, group: str) -> Store:
    return Store(cache, f"data/{group}", version=_VERSION, keep=KEPT, unread=(IMAGES,))


def digest(parts: Iterable[Part], classes: Iterable[str]) -> str:
    """Return the sha256 (hex) of the training data: images and labels of parts, and classes."""
    return digest_of([part.digest for part in parts], classes)


def digest_of(parts: Sequence[str], classes: Iterable[str]) -> str:
    """Return the sha256 (hex) of the digests of parts, and the classes."""
    facts = [list(parts), list(classes)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
