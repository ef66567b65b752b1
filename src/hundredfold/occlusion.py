"""What mattered for a class: parts of an image are covered, and its log-odds fall.

Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2; the cover has the mean colour of the image.
The page of `exporters.html` computes the same in a browser.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

GRIDS = (8, 6, 4)  # places a side; the first that the time allows
SPREAD = 1.25  # half the side of a cover, in places

Compute = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def occlusion(
    compute: Compute, image: NDArray[np.uint8], label: int, side: int
) -> NDArray[np.float64]:
    """Return (side, side): by how much covering each place lowers the log-odds of a class.

    compute: images (n, height, width, 3) -> logits (n, classes). image: (height, width, 3).
    """
    covered = np.stack([image, *(_covered(image, row, column, side)
                                 for row in range(side) for column in range(side))])  # fmt: skip
    odds = log_odds(compute(covered), label)
    return np.asarray((odds[0] - odds[1:]).reshape(side, side))


def within(
    compute: Compute, images: Sequence[NDArray[np.uint8]], labels: Sequence[int], seconds: float
) -> list[NDArray[np.float64]]:
    """Return the maps of as many images, from the first on, as the time allows."""
    end = time.monotonic() + seconds
    maps: list[NDArray[np.float64]] = []
    side = 0
    for image, label in zip(images, labels, strict=True):
        if not side:
            side = _side(compute, image, seconds / len(images))
        started = time.monotonic()
        if not side or started > end:
            break
        maps.append(occlusion(compute, image, label, side))
        if 2 * time.monotonic() - started > end:  # the next one would end too late
            break
    return maps


def log_odds(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """Return (n,): log(p / (1 - p)) of a class, without rounding p to 0 or 1."""
    values = logits.astype(np.float64)
    others = np.delete(values, label, axis=1)
    most = others.max(axis=1, initial=-1e300)
    total = most + np.log(np.exp(others - most[:, None]).sum(axis=1).clip(1e-300))
    return np.asarray(values[:, label] - total)


def _side(compute: Compute, image: NDArray[np.uint8], seconds: float) -> int:
    """Return the finest grid that takes at most some seconds an image; 0 if none does."""
    batch = np.stack([image] * 8)
    compute(batch)  # the first call sets up
    started = time.monotonic()
    compute(batch)
    each = (time.monotonic() - started) / len(batch)
    return next((side for side in GRIDS if side * side * each <= seconds), 0)


def _covered(image: NDArray[np.uint8], row: int, column: int, side: int) -> NDArray[np.uint8]:
    copy = image.copy()
    rows, columns = (_reach(k, side, n) for k, n in zip((row, column), image.shape, strict=False))
    copy[rows, columns] = image.mean(axis=(0, 1)).round()
    return copy


def _reach(k: int, side: int, length: int) -> slice:
    """Return the pixels that a cover at place k hides along one side of an image."""
    step = length / side
    reach = max(SPREAD * step, 0.5)
    centre = (k + 0.5) * step
    return slice(max(0, round(centre - reach)), min(length, round(centre + reach)))
