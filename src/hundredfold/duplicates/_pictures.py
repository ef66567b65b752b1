"""Thumbnails prepared for comparison: brightness and descriptors of each image."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._descriptor import (
    UPSIDE_DOWN,
    VIEWS,
    cosines,
    discriminant,
    upside_down_signs,
)
from hundredfold.duplicates._lines import blurred, halved
from hundredfold.duplicates._thumbnails import SIDE, Floats
from hundredfold.machine import cores

_BLOCK = 200  # images prepared at a time; they stay in the processor's cache
_LEARNT_FROM = 4000  # images to which the discriminant is fitted
_PLANES = np.array(  # brightness and colour differences (ITU-R BT.601)
    [[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32
)


@dataclass(frozen=True)
class Pictures:
    """Images prepared for comparison.

    pixels:     (n, 32, 32, 3) uint8, the thumbnails.
    grey:       (n, 32, 32) uint8, brightness.
    coarse:     (n, 3, 16, 16) float16, brightness and two colour differences, blurred.
    views:      (n, views, cosines) float16, of length one, in the order of VIEWS.
    directions: (cosines, LENGTH), Fisher's discriminant directions of these images.
    """

    pixels: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    coarse: NDArray[np.float16]
    views: NDArray[np.float16]
    directions: Floats

    def __len__(self) -> int:
        return len(self.grey)


def pictures(images: NDArray[np.uint8]) -> Pictures:
    """Prepare uint8 thumbnails (n, 32, 32, 3), block by block on every core."""
    starts = range(0, max(len(images), 1), _BLOCK)
    with ThreadPoolExecutor(cores()) as pool:
        prepared = list(pool.map(lambda s: _prepare(planes(images[s : s + _BLOCK])), starts))
    grey, coarse, views = (np.concatenate(kind) for kind in zip(*prepared, strict=True))
    rows = np.linspace(0, len(images) - 1, min(len(images), _LEARNT_FROM)).astype(np.int64)
    directions = discriminant(planes(images[rows]), np.random.default_rng(0))
    return Pictures(images, grey, coarse, views, directions)


def chosen(images: Pictures, rows: NDArray[np.int64]) -> Pictures:
    """Return the images of `rows`."""
    grey, coarse, views = images.grey[rows], images.coarse[rows], images.views[rows]
    return Pictures(images.pixels[rows], grey, coarse, views, images.directions)


def upside_down(images: Pictures, rows: NDArray[np.int64]) -> Pictures:
    """Return the images of `rows` upside down."""
    views = images.views[rows][:, UPSIDE_DOWN] * upside_down_signs().astype(np.float16)
    grey, coarse = images.grey[rows, ::-1], images.coarse[rows, :, ::-1]
    return Pictures(images.pixels[rows, ::-1], grey, coarse, views, images.directions)


def planes(images: NDArray[np.uint8]) -> Floats:
    """Return (n, 3, 32, 32): brightness and two colour differences."""
    flat = images.reshape(len(images), SIDE * SIDE, 3).astype(np.float32)
    return (_PLANES @ flat.swapaxes(1, 2)).reshape(len(images), 3, SIDE, SIDE)


def _prepare(
    images: Floats,
) -> tuple[NDArray[np.uint8], NDArray[np.float16], NDArray[np.float16]]:
    grey = np.clip(images[:, 0] + 0.5, 0, 255).astype(np.uint8)
    coarse = halved(blurred(images)).astype(np.float16)
    views = [cosines(images, view).astype(np.float16) for view in range(len(VIEWS))]
    return grey, coarse, np.stack(views, 1)
