"""Decoded images in the cache: written once and atomically, then memory-mapped read-only.

    cache/data/<group>/<key>/   one part of a data set
        pixels.npy              (n, size, size, 3) uint8
        labels.npy              (n,) int64
        about.json              sha256 of these files; digest, file names and files left out

The key is a digest of the source files and the options, so a part is never stale. Parts are
separate: opening one neither opens nor decodes another.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hundredfold.cache import Store
from hundredfold.data._rows import Rows, write
from hundredfold.data._types import Split

KEPT = 4  # versions of a part that stay in the cache
_VERSION = 2  # raise it when the file format or the decoding of any data set changes


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
    """Return the part of a key; decode it where the cache has none or a damaged one.

    Raises DataError where the cache cannot be written, and whatever `decode` raises.
    """
    store = Store(cache, f"data/{group}", version=_VERSION, keep=KEPT)
    entry = store.make(store.key(key), lambda folder: write(folder, decode()))
    left_out = tuple((name, reason) for name, reason in entry.facts["left_out"])
    return Part(entry.folder, entry.facts["digest"], tuple(entry.facts["names"]), left_out)


def digest(parts: Iterable[Part], classes: Iterable[str]) -> str:
    """Return the sha256 (hex) of the training data: images and labels of parts, and classes."""
    return digest_of([part.digest for part in parts], classes)


def digest_of(parts: Sequence[str], classes: Iterable[str]) -> str:
    """Return the sha256 (hex) of the digests of parts, and the classes."""
    facts = [list(parts), list(classes)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
