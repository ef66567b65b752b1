"""Thumbnails prepared for comparison: brightness and descriptors of each image."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._descriptor import ZOOM, cosines, discriminant, upside_down_signs
from hundredfold.duplicates._thumbnails import SIDE, Floats
from hundredfold.machine import cores

_BLOCK = 1000
_LEARNT_FROM = 4000  # images to which the discriminant is fitted
_PLANES = np.array(  # brightness and colour differences (ITU-R BT.601)
    [[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32
)


@dataclass(frozen=True)
class Pictures:
    """Images prepared for comparison.

    grey:       (n, 32, 32) uint8, brightness.
    whole:      (n, cosines) of the whole image, rows of length one.
    centre:     (n, cosines) of its central square, rows of length one.
    directions: (cosines, LENGTH), Fisher's discriminant directions of these images.
    """

    grey: NDArray[np.uint8]
    whole: Floats
    centre: Floats
    directions: Floats

    def __len__(self) -> int:
        return len(self.grey)


def pictures(images: NDArray[np.uint8]) -> Pictures:
    """Prepare uint8 thumbnails (n, 32, 32, 3), block by block on every core."""
    starts = range(0, max(len(images), 1), _BLOCK)
    with ThreadPoolExecutor(cores()) as pool:
        prepared = list(pool.map(lambda s: _prepare(_planes(images[s : s + _BLOCK])), starts))
    grey, whole, centre = (np.concatenate(kind) for kind in zip(*prepared, strict=True))
    rows = np.linspace(0, len(images) - 1, min(len(images), _LEARNT_FROM)).astype(np.int64)
    directions = discriminant(_planes(images[rows]), np.random.default_rng(0))
    return Pictures(grey, whole, centre, directions)


def chosen(images: Pictures, rows: NDArray[np.int64]) -> Pictures:
    """Return the images of `rows`."""
    return Pictures(images.grey[rows], images.whole[rows], images.centre[rows], images.directions)


def upside_down(images: Pictures, rows: NDArray[np.int64]) -> Pictures:
    """Return the images of `rows` upside down."""
    signs = upside_down_signs()
    turned = (images.whole[rows] * signs, images.centre[rows] * signs)
    return Pictures(images.grey[rows, ::-1], *turned, images.directions)


def _planes(images: NDArray[np.uint8]) -> Floats:
    """Return (n, 3, 32, 32): brightness and two colour differences."""
    flat = images.reshape(len(images), SIDE * SIDE, 3).astype(np.float32)
    return (_PLANES @ flat.swapaxes(1, 2)).reshape(len(images), 3, SIDE, SIDE)


def _prepare(images: Floats) -> tuple[NDArray[np.uint8], Floats, Floats]:
    grey = np.clip(images[:, 0] + 0.5, 0, 255).astype(np.uint8)
    return grey, cosines(images, 1.0), cosines(images, ZOOM)
