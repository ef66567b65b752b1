"""Features of images in a file, with a record of which rows are computed and their checksums.

features.npy    (n, channels) float32, a row for each image of a part
rows.npz        done: (n,) bool, which rows are computed
                sums: (blocks, 32) uint8, the sha256 of each block of 512 rows
"""

import hashlib
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import files

BLOCK = 512  # rows that are computed and checked together


@dataclass(frozen=True)
class FeatureRows:
    """Features (n, channels), which rows are done (n,), and the sha256 of each block.

    folder: of the files; None where rows are in memory only.
    """

    features: NDArray[np.float32]
    done: NDArray[np.bool_]
    sums: NDArray[np.uint8]
    folder: Path | None

    def drop_damaged(self, rows: NDArray[np.int64]) -> bool:
        """Mark every row as missing in blocks whose checksum differs; return if there were any.

        rows: indices of the rows whose blocks are checked.
        """
        damaged = False
        for first in np.unique(rows // BLOCK) * BLOCK:
            block = slice(first, first + BLOCK)
            if not self.done[block].any():
                continue
            if not np.array_equal(self._sum(first), self.sums[first // BLOCK]):
                damaged = True
                self.done[block] = False
        return damaged

    def missing(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask (n,) of the given rows that are not computed yet."""
        requested = np.zeros(len(self.done), bool)
        requested[rows] = True
        return requested & ~self.done

    def put(self, first: int, selected: NDArray[np.bool_], features: NDArray[np.float32]) -> None:
        """Set the selected rows of the block that begins at `first`; selected: mask (BLOCK,)."""
        block = slice(first, first + BLOCK)
        self.features[block][selected] = features
        self.done[block] |= selected
        self.sums[first // BLOCK] = self._sum(first)

    def save(self) -> None:
        """Write features, then the record of computed rows; a disk that is full is ignored."""
        if self.folder is None:
            return
        assert isinstance(self.features, np.memmap)
        with suppress(OSError):
            self.features.flush()
            path = self.folder / "rows.npz"
            files.write(path, lambda file: np.savez(file, done=self.done, sums=self.sums))

    def _sum(self, first: int) -> NDArray[np.uint8]:
        block = np.ascontiguousarray(self.features[first : first + BLOCK])
        return np.frombuffer(hashlib.sha256(block.data).digest(), np.uint8)


def read(folder: Path, shape: tuple[int, int]) -> FeatureRows | None:
    """Return the rows in a folder; None where there are none of this shape."""
    return _opened(folder, shape, "r")


def open_to_write(folder: Path, shape: tuple[int, int]) -> FeatureRows:
    """Return the rows in a folder, open to add more; a new or damaged folder has none done."""
    if (rows := _opened(folder, shape, "r+")) is not None:
        return rows
    path = folder / "features.npy"
    path.unlink(missing_ok=True)  # another process may have mapped it
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):  # a full disk raises now instead of a SIGBUS later
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return FeatureRows(array, *_none_done(shape), folder)


def in_memory(shape: tuple[int, int]) -> FeatureRows:
    """Return rows in memory only, none of them done."""
    return FeatureRows(np.zeros(shape, np.float32), *_none_done(shape), None)


def _opened(folder: Path, shape: tuple[int, int], mode: str) -> FeatureRows | None:
    try:
        with np.load(folder / "rows.npz") as arrays:
            done, sums = arrays["done"], arrays["sums"]
        features = np.load(folder / "features.npy", mmap_mode=mode)  # type: ignore[arg-type]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    none, zeros = _none_done(shape)
    if (done.shape, sums.shape, features.shape) != (none.shape, zeros.shape, shape):
        return None
    return FeatureRows(features, done, sums, folder)


def _none_done(shape: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    return np.zeros(shape[0], bool), np.zeros((-(-shape[0] // BLOCK), 32), np.uint8)
