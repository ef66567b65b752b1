"""Images of one size as JPEGs in one file, decoded by threads when they are indexed.

    images.bin    the JPEGs, one after the other
    index.npy     (n, 2) int64: where each begins, and its number of bytes
    sums.npy      (n, 16) uint8: the first bytes of each one's sha256

A set that would take tens of gigabytes as pixels takes a few. Every JPEG is checked each time it
is read: 30 kB take 20 microseconds, beside a millisecond of decoding. The same JPEG gives the same
pixels on a machine at any time.
"""

import hashlib
import io
import os
import time
import weakref
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold import cache
from hundredfold.data._decoding import threads
from hundredfold.errors import DataError
from hundredfold.size import Size, SizeLike

IMAGES, INDEX, SUMS = "images.bin", "index.npy", "sums.npy"
QUALITY = 95  # of 100; full colour resolution
SUM = 16  # bytes
_TASK = 8  # images that a thread decodes in one go


class Packed:
    """An array (n, height, width, 3) uint8 whose rows are decoded when they are indexed.

    It is indexed by a number, a slice, a mask or whole numbers of any shape, and gives pixels that
    the caller owns. It is never decoded as a whole: `np.asarray` raises TypeError.

    rate: images that were decoded per second so far, by all threads; 0 before the first.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, folder: Path, size: SizeLike) -> None:
        self._folder = folder
        self._index = np.load(folder / INDEX, allow_pickle=False)
        self.sums: NDArray[np.uint8] = np.load(folder / SUMS, allow_pickle=False)
        height, width = Size.of(size)
        self.shape = (len(self._index), height, width, 3)
        self._file = os.open(folder / IMAGES, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)
        self._lock = Lock()
        self._decoded, self._seconds = 0, 0.0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        rows = np.arange(len(self))[key]
        flat = rows.reshape(-1)
        pixels = np.empty((flat.size, *self.shape[1:]), np.uint8)
        began = time.perf_counter()
        starts = range(0, flat.size, _TASK)
        if len(starts) > 1:
            list(self._pool.map(lambda k: self._decode(flat[k : k + _TASK], pixels[k:]), starts))
        else:
            self._decode(flat, pixels)
        self._seconds += time.perf_counter() - began
        self._decoded += flat.size
        return pixels.reshape(*rows.shape, *self.shape[1:])

    def __array__(self, *_: Any, **__: Any) -> NDArray[np.uint8]:
        raise TypeError("packed images are decoded by index, not as a whole")

    @property
    def nbytes(self) -> int:
        """The number of bytes of all images once they are decoded."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def rate(self) -> float:
        return self._decoded / self._seconds if self._seconds else 0.0

    def take(self, rows: NDArray[np.int64], axis: int = 0) -> NDArray[np.uint8]:
        """Return the images of some rows, as an array's `take` does along axis 0."""
        assert axis == 0
        return self[rows]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(threads(), thread_name_prefix="decode")

    def _decode(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        for row, image in zip(rows, out, strict=False):
            data = self._read(int(row))
            if hashlib.sha256(data).digest()[:SUM] != self.sums[row].tobytes():
                raise self._damaged()
            image[:] = decoded(data)

    def _read(self, row: int) -> bytes:
        begin, length = map(int, self._index[row])
        if hasattr(os, "pread"):
            return os.pread(self._file, length, begin)
        with self._lock:  # Windows
            os.lseek(self._file, begin, os.SEEK_SET)
            return os.read(self._file, length)

    def _damaged(self) -> DataError:
        """Mark the part as damaged, so that it is made again, and return the error."""
        remedy = "run the command again, which makes them anew, or goes on with --resume"
        try:
            cache.discard(self._folder)
        except OSError:  # the cache is read-only
            remedy = "delete that folder, or set HUNDREDFOLD_CACHE to a folder of your own"
        return DataError(f"decoded images in {self._folder} are damaged", remedy=remedy)


Pixels: TypeAlias = NDArray[np.uint8] | Packed


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image (height, width, 3) as a JPEG; equal channels stay equal."""
    grey = bool((pixels[..., :1] == pixels).all())
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels (height, width, 3) of a JPEG that `encode` made."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))


def write(folder: Path, blocks: Iterable[list[bytes]]) -> NDArray[np.uint8]:
    """Write JPEGs and their index; return the sums (n, 16)."""
    lengths, sums = [], []
    with (folder / IMAGES).open("wb") as stream:
        for block in blocks:
            stream.writelines(block)
            lengths += [len(data) for data in block]
            sums += [hashlib.sha256(data).digest()[:SUM] for data in block]
    ends = np.cumsum(np.array(lengths, np.int64))
    np.save(folder / INDEX, np.stack([ends - lengths, lengths], 1).astype(np.int64))
    table = np.frombuffer(b"".join(sums), np.uint8).reshape(-1, SUM)
    np.save(folder / SUMS, table)
    return table
