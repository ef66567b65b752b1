"""Images as short vectors that a mirror, a new encoding, a small shift or crop move little.

An image is reduced to 32 x 32 pixels of brightness and two colour differences, and these to
their cosines of low frequency without the mean, scaled to length one: brightness and contrast
do not matter, and mirroring changes the signs of the odd horizontal cosines. Fisher's linear
discriminant (1936) then weighs directions by how much images differ in them, against how much
the same image differs after small shifts and zooms. It is computed from the images at hand.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np

from hundredfold.duplicates._lines import sampled
from hundredfold.duplicates._thumbnails import SIDE, Floats

ZOOM = 26 / 32  # side of the central square that is described too, for the sake of crops
LENGTH = 64
_COSINES = 11
_MOVED = 0.18  # how far zooms and shifts go, as a fraction of the image's half side


def cosines(images: Floats, zoom: float) -> Floats:
    """Return (n, cosines), each of length one, of the central fraction `zoom` of planes."""
    table = _table(zoom)
    plane_cosines = table @ images @ table.T  # (n, 3, down, across)
    plane, down, across = map(list, zip(*_chosen(), strict=True))
    return unit(np.asarray(plane_cosines[:, plane, down, across], np.float32))


def discriminant(planes: Floats, chance: np.random.Generator) -> Floats:
    """Return (cosines, LENGTH): Fisher's directions for images given as planes (n, 3, 32, 32)."""
    still, count = cosines(planes, 1.0), max(len(planes), 1)
    within = np.zeros((still.shape[1],) * 2)
    for _ in range(3):
        moved = _moved(planes, chance) - still
        within += moved.T @ moved / count
    signs = np.outer(mirror_signs(), mirror_signs())  # an image and its mirror count alike
    within = (within + within * signs) / 2
    total = still - still.sum(0) / count
    between = (total.T @ total) * (1 + signs) / (2 * count)
    values, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(np.maximum(values, 0) + 1e-3 * values.mean() + 1e-12)
    kept = np.linalg.eigh(white.T @ between @ white)[1][:, ::-1][:, :LENGTH]
    return np.asarray(white @ kept, np.float32)


def unit(vectors: Floats) -> Floats:
    """Scale rows to length one; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


@cache
def mirror_signs() -> Floats:
    """Return (cosines,): what mirroring an image from left to right multiplies them by."""
    return np.array([(-1.0) ** across for _, _, across in _chosen()], np.float32)


@cache
def upside_down_signs() -> Floats:
    """Return (cosines,): what turning an image upside down multiplies them by."""
    return np.array([(-1.0) ** down for _, down, _ in _chosen()], np.float32)


def _moved(images: Floats, chance: np.random.Generator) -> Floats:
    """Return the cosines of images after a small shift and stretch of each."""
    draws = chance.uniform(-_MOVED, _MOVED, (4, len(images))).astype(np.float32)
    down = sampled(1 + draws[0], draws[1] / 1.5, SIDE)
    across = sampled(1 + draws[2], draws[3] / 1.5, SIDE)
    moved = down[:, None] @ images @ across[:, None].swapaxes(2, 3)
    return cosines(np.asarray(moved, np.float32), 1.0)


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
    """Return (frequencies, 32): cosines over the central fraction `zoom` of a line."""
    angles = np.outer(np.arange(_COSINES), (np.arange(SIDE) + 0.5) / SIDE * np.pi)
    table = np.cos(angles).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(
        table @ sampled(np.array([zoom], np.float32), np.zeros(1, np.float32), SIDE)[0], np.float32
    )
