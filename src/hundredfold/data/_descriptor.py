"""Images as short vectors that a mirror, a new encoding, a small shift or crop move little.

An image is reduced to 32 x 32 pixels of brightness and two colour differences, and these to
their cosines of low frequency without the mean, scaled to length one: brightness and contrast
do not matter, and mirroring changes the signs of the odd horizontal cosines. Fisher's linear
discriminant (1936) then weighs directions by how much images differ in them, against how much
the same image differs after small shifts and zooms. It is computed from the images at hand.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hundredfold.machine import cores

Floats = NDArray[np.float32]

SIDE = 32  # pixels that images are compared at
ZOOM = 26 / 32  # side of the central square that is described too, for the sake of crops
LENGTH = 64
_BLOCK = 1000
_COSINES = 11
_LEARNT_FROM = 4000  # images
_MOVED = 0.18  # how far zooms and shifts go, as a share of the image's half side
_PLANES = np.array(  # brightness and colour differences (ITU-R BT.601)
    [[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32
)


@dataclass(frozen=True)
class Pictures:
    """Images prepared for comparing.

    grey:   (n, 32, 32) brightness.
    whole:  (n, cosines) of the whole image, length one.
    centre: (n, cosines) of its central square.
    directions: (cosines, LENGTH) that Fisher's discriminant finds in these images.
    """

    grey: NDArray[np.uint8]
    whole: Floats
    centre: Floats
    directions: Floats

    def __len__(self) -> int:
        return len(self.grey)


def thumbnails(pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return (n, 32, 32, 3): the images in `rows` of (m, size, size, 3), averaged over areas."""
    size = pixels.shape[1]
    small = np.empty((len(rows), SIDE, SIDE, 3), np.uint8)
    for start in range(0, len(rows), _BLOCK):
        some = pixels[rows[start : start + _BLOCK]]
        if size != SIDE:
            down = np.tensordot(_areas(size), some.astype(np.float32), (1, 1))  # (32, n, size, 3)
            both = np.tensordot(_areas(size), down, (1, 2))  # (32 across, 32 down, n, 3)
            some = (both.transpose(2, 1, 0, 3) + 0.5).astype(np.uint8)
        small[start : start + _BLOCK] = some
    return small


def pictures(images: NDArray[np.uint8]) -> Pictures:
    """Prepare thumbnails (n, 32, 32, 3), block by block on every core."""
    starts = range(0, max(len(images), 1), _BLOCK)
    with ThreadPoolExecutor(cores()) as pool:
        made = list(pool.map(lambda s: _prepared(_planes(images[s : s + _BLOCK])), starts))
    grey, whole, centre = (np.concatenate(kind) for kind in zip(*made, strict=True))
    some = np.linspace(0, len(images) - 1, min(len(images), _LEARNT_FROM)).astype(np.int64)
    learnt = _discriminant(_planes(images[some]), np.random.default_rng(0))
    return Pictures(grey, whole, centre, learnt)


def upside_down(some: Pictures, rows: NDArray[np.int64]) -> Pictures:
    """Return some of the pictures upside down."""
    signs = np.array([(-1.0) ** down for _, down, _ in _chosen()], np.float32)
    turned = (some.whole[rows] * signs, some.centre[rows] * signs)
    return Pictures(some.grey[rows, ::-1], *turned, some.directions)


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


def unit(vectors: Floats) -> Floats:
    """Scale rows to length one; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


@cache
def mirror_signs() -> Floats:
    """Return (cosines,): what mirroring an image from left to right multiplies them by."""
    return np.array([(-1.0) ** across for _, _, across in _chosen()], np.float32)


def _planes(images: NDArray[np.uint8]) -> Floats:
    """Return (n, 3, 32, 32): brightness and two colour differences."""
    flat = images.reshape(len(images), SIDE * SIDE, 3).astype(np.float32)
    return (_PLANES @ flat.swapaxes(1, 2)).reshape(len(images), 3, SIDE, SIDE)


def _discriminant(some: Floats, chance: np.random.Generator) -> Floats:
    """Return (cosines, LENGTH): Fisher's directions for images given as planes (n, 3, 32, 32)."""
    found, count = _cosines(some, 1.0), max(len(some), 1)
    within = np.zeros((found.shape[1],) * 2)
    for _ in range(3):
        moved = _moved(some, chance) - found
        within += moved.T @ moved / count
    signs = np.outer(mirror_signs(), mirror_signs())  # an image and its mirror count alike
    within = (within + within * signs) / 2
    total = found - found.sum(0) / count
    between = (total.T @ total) * (1 + signs) / (2 * count)
    values, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(np.maximum(values, 0) + 1e-3 * values.mean() + 1e-12)
    kept = np.linalg.eigh(white.T @ between @ white)[1][:, ::-1][:, :LENGTH]
    return np.asarray(white @ kept, np.float32)


def _prepared(images: Floats) -> tuple[NDArray[np.uint8], Floats, Floats]:
    grey = np.clip(images[:, 0] + 0.5, 0, 255).astype(np.uint8)
    return grey, _cosines(images, 1.0), _cosines(images, ZOOM)


def _cosines(images: Floats, zoom: float) -> Floats:
    table = _table(zoom)
    found = table @ images @ table.T  # (n, 3, down, across)
    plane, down, across = map(list, zip(*_chosen(), strict=True))
    return unit(np.asarray(found[:, plane, down, across], np.float32))


def _moved(images: Floats, chance: np.random.Generator) -> Floats:
    """Return the cosines of images after a small shift and stretch of each."""
    draws = chance.uniform(-_MOVED, _MOVED, (4, len(images))).astype(np.float32)
    down = sampled(1 + draws[0], draws[1] / 1.5, SIDE)
    across = sampled(1 + draws[2], draws[3] / 1.5, SIDE)
    moved = down[:, None] @ images @ across[:, None].swapaxes(2, 3)
    return _cosines(np.asarray(moved, np.float32), 1.0)


@cache
def _chosen() -> tuple[tuple[int, int, int], ...]:
    """Return plane, and frequency down and across, of each cosine: fewer for the colours."""
    return tuple(_frequencies())


def _frequencies() -> Iterator[tuple[int, int, int]]:
    for plane, most in ((0, 10), (1, 7), (2, 7)):
        for down in range(_COSINES):
            for across in range(_COSINES):
                if 0 < down + across <= most:
                    yield plane, down, across


@cache
def _table(zoom: float) -> Floats:
    """Return (frequencies, 32): cosines over the central share `zoom` of a line."""
    angles = np.outer(np.arange(_COSINES), (np.arange(SIDE) + 0.5) / SIDE * np.pi)
    table = np.cos(angles).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(
        table @ sampled(np.array([zoom], np.float32), np.zeros(1, np.float32), SIDE)[0], np.float32
    )


@cache
def _areas(size: int) -> Floats:
    """Return (32, size): each row averages the pixels that one of 32 covers."""
    edges = np.arange(SIDE + 1) * size / SIDE
    pixels = np.arange(size)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.asarray(np.maximum(high - low, 0) * SIDE / size, np.float32)
