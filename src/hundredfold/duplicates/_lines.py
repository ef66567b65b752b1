"""Linear interpolation of lines of pixels."""

import numpy as np

from hundredfold.duplicates._thumbnails import Floats


def sampled(scale: Floats, offset: Floats, size: int, border: int = 0) -> Floats:
    """Return (n, size - 2 border, size), matrices that sample a line at scale * x + offset.

    scale, offset: (n,). x runs from -1 to 1 over the line of `size` pixels, without `border`
    pixels at each end. Beyond the ends the last pixel is repeated.
    """
    at = scale[:, None] * grid(size, border) + offset[:, None]
    at = np.clip((at + 1) * (size / 2) - 0.5, 0, size - 1)
    distance = np.abs(at[:, :, None] - np.arange(size, dtype=np.float32))
    return np.asarray(np.maximum(0, 1 - distance), np.float32)


def grid(size: int, border: int = 0) -> Floats:
    """Return (size - 2 border,), the pixel centres of a line in coordinates from -1 to 1."""
    return ((np.arange(border, size - border) + 0.5) / size * 2 - 1).astype(np.float32)
