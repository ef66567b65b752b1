"""Image descriptors: short vectors that hardly change with encoding, small shifts and crops.

1. An image becomes 32 x 32 pixels of brightness and two colour differences.
2. Their low-frequency cosines without the mean are scaled to length one. So brightness and
   contrast do not matter, and mirroring flips the signs of the odd horizontal cosines.
3. Fisher's linear discriminant (1936) weighs directions: variance between images against
   variance of one image under small shifts and zooms. It is fitted to the images at hand.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np

from hundredfold.duplicates._lines import sampled
from hundredfold.duplicates._thumbnails import SIDE, Floats

_PART = 0.8125  # fraction of the sides that a view of a part shows
# The views of an image: the fraction of its sides, and the offset of the middle in half sides;
# (down, across). Parts match crops.
VIEWS = (
    ((1.0, 0.0), (1.0, 0.0)),
    ((_PART, 0.0), (_PART, 0.0)),
    ((1.0, 0.0), (_PART, _PART - 1)),
    ((1.0, 0.0), (_PART, 1 - _PART)),
    ((_PART, _PART - 1), (1.0, 0.0)),
    ((_PART, 1 - _PART), (1.0, 0.0)),
)
MIRRORED = (0, 1, 3, 2, 4, 5)  # the view of an image that its mirror shows as each view
UPSIDE_DOWN = (0, 1, 2, 3, 5, 4)
LENGTH = 64  # of a descriptor
_COSINES = 11  # per axis
_MOVED = 0.18  # largest zoom and shift, as a fraction of the image's half side


def cosines(images: Floats, view: int) -> Floats:
    """Return (n, cosines), rows of length one, of a view of the images.

    images: (n, 3, 32, 32), planes of brightness and colour differences. view: index of VIEWS.
    """
    down, across = (_table(*side) for side in VIEWS[view])
    count, waves = len(images), len(down)
    lines = (images.reshape(-1, SIDE) @ across.T).reshape(-1, SIDE, waves)
    both = lines.swapaxes(1, 2).reshape(-1, SIDE) @ down.T
    plane, high, wide = map(list, zip(*_chosen(), strict=True))
    chosen = both.reshape(count, 3, waves, waves)[:, plane, wide, high]
    return unit(np.asarray(chosen, np.float32))


def discriminant(planes: Floats, rng: np.random.Generator) -> Floats:
    """Return (cosines, LENGTH): Fisher's directions for images given as planes (n, 3, 32, 32)."""
    descriptors, count = cosines(planes, 0), max(len(planes), 1)
    within = np.zeros((descriptors.shape[1],) * 2)
    for _ in range(3):
        shifts = _moved(planes, rng) - descriptors
        within += shifts.T @ shifts / count
    signs = np.outer(mirror_signs(), mirror_signs())  # an image and its mirror count equally
    within = (within + within * signs) / 2
    total = descriptors - descriptors.sum(0) / count
    between = (total.T @ total) * (1 + signs) / (2 * count)
    values, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(np.maximum(values, 0) + 1e-3 * values.mean() + 1e-12)
    kept = np.linalg.eigh(white.T @ between @ white)[1][:, ::-1][:, :LENGTH]
    return np.asarray(white @ kept, np.float32)


def unit(vectors: Floats) -> Floats:
    """Return the rows scaled to length one; rows of zeros stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


@cache
def mirror_signs() -> Floats:
    """Return (cosines,), the factors -1 or 1 by which mirroring left to right changes them."""
    return np.array([(-1.0) ** across for _, _, across in _chosen()], np.float32)


@cache
def upside_down_signs() -> Floats:
    """Return (cosines,), the factors -1 or 1 by which flipping upside down changes them."""
    return np.array([(-1.0) ** down for _, down, _ in _chosen()], np.float32)


def _moved(images: Floats, rng: np.random.Generator) -> Floats:
    """Return the cosines of images after a small random shift and stretch of each."""
    draws = rng.uniform(-_MOVED, _MOVED, (4, len(images))).astype(np.float32)
    down = sampled(1 + draws[0], draws[1] / 1.5, SIDE)
    across = sampled(1 + draws[2], draws[3] / 1.5, SIDE)
    moved = down[:, None] @ images @ across[:, None].swapaxes(2, 3)
    return cosines(np.asarray(moved, np.float32), 0)


@cache
def _chosen() -> tuple[tuple[int, int, int], ...]:
    """Return (plane, vertical frequency, horizontal frequency) of each cosine."""
    return tuple(_frequencies())


def _frequencies() -> Iterator[tuple[int, int, int]]:
    for plane, most in ((0, 10), (1, 7), (2, 7)):
        for down in range(_COSINES):
            for across in range(_COSINES):
                if 0 < down + across <= most:
                    yield plane, down, across


@cache
def _table(part: float, offset: float) -> Floats:
    """Return (frequencies, 32), cosines over a part of a line of pixels."""
    angles = np.outer(np.arange(_COSINES), (np.arange(SIDE) + 0.5) / SIDE * np.pi)
    table = np.cos(angles).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    lines = sampled(np.array([part], np.float32), np.array([offset], np.float32), SIDE)
    return np.asarray(table @ lines[0], np.float32)
