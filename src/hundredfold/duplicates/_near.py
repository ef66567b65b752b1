"""Near-duplicates: the same picture mirrored, encoded anew, shifted, zoomed or cropped a little.

Candidates come from short vectors, all against all; each candidate is laid over the image and
counts where brightness and fine detail agree. How much must agree is learnt from the images
themselves: upside down they are pictures of the same kind that are not in the set, so what
agrees with those agrees by chance.
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

LEAST = 0.75  # agreement of a near-duplicate
MOST = 0.95  # what is asked at most, however alike the pictures of a set are
CHANCE = 0.003  # fraction of images upside down that may find a partner
TRIED = 4  # candidates of an image, mirrored or not, that are registered closely
HOPELESS = 0.5  # correlation after a shift below which none is
_UPSIDE_DOWN = 1000  # images that show what agrees by chance
_CHUNK = 1000  # pairs registered at a time


@dataclass(frozen=True)
class Near:
    """Pairs of near-duplicates: rows of images, rows of known images, and their agreement."""

    rows: NDArray[np.int64]
    known: NDArray[np.int64]
    agreement: Floats


_NONE = Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def across(images: Pictures, known: Pictures) -> Near:
    """Return the pairs of an image and a known image that show the same picture."""
    return pairs(images, known, None)


def within(images: Pictures) -> Near:
    """Return the pairs of two images of a set that show the same picture, each once."""
    both = pairs(images, images, np.arange(len(images)))
    low, high = np.minimum(both.rows, both.known), np.maximum(both.rows, both.known)
    return joined(Near(low, high, both.agreement), _NONE)


def joined(one: Near, other: Near) -> Near:
    """Return the pairs of both, each once and of each image the best first."""
    rows, known = (np.concatenate([getattr(n, k) for n in (one, other)]) for k in ("rows", "known"))
    agreed = np.concatenate([one.agreement, other.agreement])
    order = np.lexsort((-agreed, rows))
    both = np.stack([rows[order], known[order]])
    order = order[np.sort(np.unique(both, axis=1, return_index=True)[1])]
    return Near(rows[order], known[order], agreed[order])


def pairs(images: Pictures, known: Pictures, not_row: NDArray[np.int64] | None) -> Near:
    """Return the pairs that agree, of each image the best first.

    not_row: (n,) for each image a known image that is none of its partners.
    """
    if not len(images) or not len(known):
        return _NONE
    compared, agreed = _compared(images, known, not_row)
    good = agreed >= _threshold(known)
    return joined(Near(compared.rows[good], compared.known[good], agreed[good]), _NONE)


def _threshold(known: Pictures) -> float:
    """Return the agreement that upside-down images hardly ever find by chance."""
    rows = np.unique(np.linspace(0, len(known) - 1, _UPSIDE_DOWN).astype(np.int64))
    compared, agreed = _compared(upside_down(known, rows), known, rows)
    best = np.full(len(rows), -1, np.float32)
    np.maximum.at(best, compared.rows, agreed)
    return float(np.clip(np.quantile(best, 1 - CHANCE), LEAST, MOST))


def _compared(
    images: Pictures, known: Pictures, not_row: NDArray[np.int64] | None
) -> tuple[Candidates, Floats]:
    """Return the best candidate pairs, and how far each agrees."""
    tried = candidates(images, known, not_row)
    if not len(tried.rows):
        return tried, np.zeros(0, np.float32)
    moved = _each(images, known, tried, lambda a, b, s: shifted(a, b, tried.zoom[s]))
    shifts, fits = (np.concatenate(kind) for kind in zip(*moved, strict=True))
    best = _best(tried.rows, fits)
    kept, shifts = tried[best], shifts[best]
    if not len(best):
        return kept, np.zeros(0, np.float32)
    agreed = _each(images, known, kept, lambda a, b, s: agreement(a, b, kept.zoom[s], shifts[s]))
    return kept, np.concatenate(agreed)


def _best(rows: NDArray[np.int64], fits: Floats) -> NDArray[np.int64]:
    """Return where the TRIED best fits of each row are that are not hopeless."""
    order = np.lexsort((-fits, rows))
    rows = rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return order[(rank < TRIED) & (fits[order] > HOPELESS)]


def _each(
    images: Pictures,
    known: Pictures,
    tried: Candidates,
    compare: Callable[[NDArray[np.uint8], NDArray[np.uint8], slice], T],
) -> list[T]:
    """Compare pairs chunk by chunk on every core; an image is mirrored where its pair says so."""

    def one(start: int) -> T:
        chunk = slice(start, start + _CHUNK)
        part = tried[chunk]
        grey = images.grey[part.rows]
        grey = np.where(part.mirrored[:, None, None], grey[:, :, ::-1], grey)
        return compare(grey, known.grey[part.known], chunk)

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(one, range(0, len(tried.rows), _CHUNK)))
