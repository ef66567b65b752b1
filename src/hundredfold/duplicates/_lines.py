"""Lines of pixels, read at other places than their middles."""

import numpy as np

from hundredfold.duplicates._thumbnails import Floats


def sampled(scale: Floats, offset: Floats, size: int, border: int = 0) -> Floats:
    """Return (n, size - 2 border, size): rows that read a line at scale * x + offset, linearly.

    x runs from -1 to 1 over the line; beyond its ends the last pixel is read.
    """
    at = scale[:, None] * grid(size, border) + offset[:, None]
    at = np.clip((at + 1) * (size / 2) - 0.5, 0, size - 1)
    distance = np.abs(at[:, :, None] - np.arange(size, dtype=np.float32))
    return np.asarray(np.maximum(0, 1 - distance), np.float32)


def grid(size: int, border: int = 0) -> Floats:
    """Return the middles of a line's pixels, from -1 to 1."""
    return ((np.arange(border, size - border) + 0.5) / size * 2 - 1).astype(np.float32)
