"""Reduce images of any size to 32 x 32 pixels."""

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 32  # pixels; the size at which images are compared
_BLOCK = 1000


class Images(Protocol):
    """Images (m, height, width, 3) uint8: an array, or what is indexed like one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]: ...


def thumbnails(pixels: Images, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return uint8 thumbnails (n, 32, 32, 3) of some images, averaged over areas.

    rows: (n,), indices of the images.
    """
    height, width = pixels.shape[1:3]
    small = np.empty((len(rows), SIDE, SIDE, 3), np.uint8)
    for start in range(0, len(rows), _BLOCK):
        block = pixels[rows[start : start + _BLOCK]]
        if (height, width) != (SIDE, SIDE):
            floats = block.astype(np.float32)
            down = np.tensordot(_areas(height), floats, (1, 1))  # (32, n, width, 3)
            both = np.tensordot(_areas(width), down, (1, 2))  # (32 across, 32 down, n, 3)
            block = (both.transpose(2, 1, 0, 3) + 0.5).astype(np.uint8)
        small[start : start + _BLOCK] = block
    return small


@cache
def _areas(size: int) -> Floats:
    """Return (32, size), a matrix whose rows average the pixels under each thumbnail pixel."""
    edges = np.arange(SIDE + 1) * size / SIDE
    pixels = np.arange(size)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.asarray(np.maximum(high - low, 0) * SIDE / size, np.float32)
