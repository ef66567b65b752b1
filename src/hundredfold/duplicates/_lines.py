"""Linear interpolation of lines of pixels."""

import numpy as np

from hundredfold.duplicates._thumbnails import Floats


def sampled(scale: Floats, offset: Floats, size: int) -> Floats:
    """Return (n, size, size), matrices that sample a line at scale * x + offset.

    scale, offset: (n,). x runs from -1 to 1 over the line of `size` pixels. Beyond the ends
    the last pixel is repeated.
    """
    at = scale[:, None] * grid(size) + offset[:, None]
    at = np.clip((at + 1) * (size / 2) - 0.5, 0, size - 1)
    distance = np.abs(at[:, :, None] - np.arange(size, dtype=np.float32))
    return np.asarray(np.maximum(0, 1 - distance), np.float32)


def grid(size: int) -> Floats:
    """Return (size,), the pixel centres of a line in coordinates from -1 to 1."""
    return ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
