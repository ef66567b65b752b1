"""Near-duplicates: the same picture mirrored, re-encoded, or slightly shifted, zoomed or cropped.

Descriptors, compared all with all, select candidates. Each candidate is registered with its
image, and is a near-duplicate where brightness and fine detail agree. The threshold is
calibrated on the images themselves: upside down they are similar pictures that are not in the
set, so agreement with those is chance.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._candidates import Candidates, candidates
from hundredfold.duplicates._pictures import Pictures, upside_down
from hundredfold.duplicates._register import agreement, shifted
from hundredfold.duplicates._thumbnails import Floats
from hundredfold.machine import cores

T = TypeVar("T")

LEAST = 0.75  # smallest threshold of agreement for a near-duplicate
MOST = 0.95  # largest threshold, however similar the pictures of a set are
CHANCE = 0.003  # fraction of upside-down images that may find a partner
TRIED = 4  # candidates per image, mirrored or not, that are registered fully
HOPELESS = 0.5  # correlation after the shift alone below which a candidate is dropped
_UPSIDE_DOWN = 1000  # upside-down images that calibrate the threshold
_CHUNK = 1000  # pairs registered at a time


@dataclass(frozen=True)
class Near:
    """Pairs of near-duplicates.

    rows, reference: (pairs,), rows of the images and of the reference images.
    agreement:       (pairs,), in [-1, 1].
    """

    rows: NDArray[np.int64]
    reference: NDArray[np.int64]
    agreement: Floats


_NONE = Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def across(images: Pictures, references: Pictures) -> Near:
    """Return the pairs of an image and a reference image that show the same picture."""
    return pairs(images, references, None)


def within(images: Pictures) -> Near:
    """Return the pairs of two images of a set that show the same picture, each pair once."""
    both = pairs(images, images, np.arange(len(images)))
    low, high = np.minimum(both.rows, both.reference), np.maximum(both.rows, both.reference)
    return joined(Near(low, high, both.agreement), _NONE)


def joined(first: Near, second: Near) -> Near:
    """Return the union of two sets of pairs, sorted by row and then by falling agreement."""
    rows, references = (
        np.concatenate([getattr(n, k) for n in (first, second)]) for k in ("rows", "reference")
    )
    agreed = np.concatenate([first.agreement, second.agreement])
    order = np.lexsort((-agreed, rows))
    both = np.stack([rows[order], references[order]])
    order = order[np.sort(np.unique(both, axis=1, return_index=True)[1])]
    return Near(rows[order], references[order], agreed[order])


def pairs(images: Pictures, references: Pictures, not_row: NDArray[np.int64] | None) -> Near:
    """Return the pairs above the threshold, sorted by row and then by falling agreement.

    not_row: (n,), for each image a reference row that is excluded, such as the image itself.
    """
    if not len(images) or not len(references):
        return _NONE
    compared, agreed = _compared(images, references, not_row)
    good = agreed >= _threshold(references)
    return joined(Near(compared.rows[good], compared.reference[good], agreed[good]), _NONE)


def _threshold(references: Pictures) -> float:
    """Return the agreement that a fraction CHANCE of upside-down images exceeds."""
    rows = np.unique(np.linspace(0, len(references) - 1, _UPSIDE_DOWN).astype(np.int64))
    compared, agreed = _compared(upside_down(references, rows), references, rows)
    best = np.full(len(rows), -1, np.float32)
    np.maximum.at(best, compared.rows, agreed)
    return float(np.clip(np.quantile(best, 1 - CHANCE), LEAST, MOST))


def _compared(
    images: Pictures, references: Pictures, not_row: NDArray[np.int64] | None
) -> tuple[Candidates, Floats]:
    """Return the best candidate pairs, and the agreement (pairs,) of each."""
    tried = candidates(images, references, not_row)
    if not len(tried.rows):
        return tried, np.zeros(0, np.float32)
    moved = _each(images, references, tried, lambda a, b, s: shifted(a, b, tried.zoom[s]))
    shifts, fits = (np.concatenate(kind) for kind in zip(*moved, strict=True))
    best = _best(tried.rows, fits)
    kept, shifts = tried[best], shifts[best]
    if not len(best):
        return kept, np.zeros(0, np.float32)
    agreed = _each(
        images, references, kept, lambda a, b, s: agreement(a, b, kept.zoom[s], shifts[s])
    )
    return kept, np.concatenate(agreed)


def _best(rows: NDArray[np.int64], fits: Floats) -> NDArray[np.int64]:
    """Return the indices of the TRIED best fits of each row, without those below HOPELESS."""
    order = np.lexsort((-fits, rows))
    rows = rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return order[(rank < TRIED) & (fits[order] > HOPELESS)]


def _each(
    images: Pictures,
    references: Pictures,
    tried: Candidates,
    compare: Callable[[NDArray[np.uint8], NDArray[np.uint8], slice], T],
) -> list[T]:
    """Compare pairs chunk by chunk on every core; images of mirrored pairs are mirrored."""

    def compare_chunk(start: int) -> T:
        chunk = slice(start, start + _CHUNK)
        part = tried[chunk]
        grey = images.grey[part.rows]
        grey = np.where(part.mirrored[:, None, None], grey[:, :, ::-1], grey)
        return compare(grey, references.grey[part.reference], chunk)

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(compare_chunk, range(0, len(tried.rows), _CHUNK)))
