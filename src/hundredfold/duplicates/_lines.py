"""Interpolate, blur and halve lines of pixels."""

from functools import cache

import numpy as np

from hundredfold.duplicates._thumbnails import Floats

_SMOOTH = np.array([1, 4, 6, 4, 1], np.float32) / 16


def sampled(scale: Floats, offset: Floats, size: int) -> Floats:
    """Return (n, size, size), matrices that sample a line at scale * x + offset.

    scale, offset: (n,). x runs from -1 to 1 over the line of `size` pixels. Beyond the ends
    the last pixel is repeated.
    """
    at = scale[:, None] * grid(size) + offset[:, None]
    at = np.clip((at + 1) * (size / 2) - 0.5, 0, size - 1)
    distance = np.abs(at[:, :, None] - np.arange(size, dtype=np.float32))
    return np.asarray(np.maximum(0, 1 - distance), np.float32)


def blurred(images: Floats) -> Floats:
    """Return images (..., size, size) blurred over five pixels."""
    blur = _blur(images.shape[-1])
    return np.asarray(blur @ images @ blur.T, np.float32)


def halved(images: Floats) -> Floats:
    """Return images (..., size, size) at half the size: the means of 2 x 2 pixels."""
    half = images.shape[-1] // 2
    return np.asarray(
        images.reshape(*images.shape[:-2], half, 2, half, 2).mean((-3, -1)), np.float32
    )


@cache
def _blur(size: int) -> Floats:
    """Return (size, size), a matrix that blurs a line; its last pixels are repeated."""
    rows, matrix = np.arange(size), np.zeros((size, size), np.float32)
    for offset, weight in enumerate(_SMOOTH):
        np.add.at(matrix, (rows, np.clip(rows + offset - 2, 0, size - 1)), weight)
    return matrix


def grid(size: int) -> Floats:
    """Return (size,), the pixel centres of a line in coordinates from -1 to 1."""
    return ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
