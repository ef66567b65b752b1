"""Register pairs of images on every core, and return how well each pair agrees."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._candidates import Candidates, candidates
from hundredfold.duplicates._pictures import Pictures, planes
from hundredfold.duplicates._register import agreement, aligned, laid, overlap
from hundredfold.duplicates._same import same
from hundredfold.duplicates._thumbnails import Floats
from hundredfold.machine import cores

T = TypeVar("T", bound=np.generic)
R = TypeVar("R")

TRIED = 4  # candidates per image, mirrored or not, that are registered fully
HOPELESS = 0.6  # correlation at 16 pixels below which a candidate is dropped
_DOUBTFUL = 0.35  # agreement up to which a pair is not judged further
_CHUNK = 1000  # pairs registered at a time


@dataclass(frozen=True)
class Compared:
    """Pairs that were registered.

    agreed: (pairs,), in [-1, 1]. same: (pairs,), in [-1, 1], how likely they show the same shot;
    -1 where they hardly agree.
    """

    pairs: Candidates
    agreed: Floats
    same: Floats


def compared(
    images: Pictures,
    references: Pictures,
    not_row: NDArray[np.int64] | None,
    tried: int = TRIED,
    advance: Callable[[int], object] = lambda _done: None,
) -> Compared:
    """Return the best candidate pairs.

    not_row: (n,), for each image a reference row that is excluded, such as the image itself.
    tried: candidates per image that are registered fully.
    advance: is called with the number of images that were compared.
    """
    half = len(images) // 2  # selecting and registering take about as long
    pairs = candidates(images, references, not_row, _share(advance, half, len(images)))
    rest = _share(advance, len(images) - half, len(pairs.rows))
    return registered(images, references, pairs, tried, rest)


def registered(
    images: Pictures,
    references: Pictures,
    pairs: Candidates,
    tried: int,
    advance: Callable[[int], object] = lambda _done: None,
) -> Compared:
    """Return the best `tried` pairs of each image.

    advance: is called with the number of pairs that were aligned.
    """
    nothing = np.zeros(0, np.float32)
    if not len(pairs.rows):
        return Compared(pairs, nothing, nothing)

    def align(chunk: slice) -> tuple[Floats, Floats, Floats]:
        part = pairs[chunk]
        image, reference = _taken(part, images.coarse[:, 0], references.coarse[:, 0])
        found = aligned(image, reference, part.zoom, part.shift)
        advance(len(image))
        return found

    moved = _each(len(pairs.rows), align)
    zooms, shifts, fits = (np.concatenate(kind) for kind in zip(*moved, strict=True))
    best = _best(pairs.rows, fits, tried)
    kept, zooms, shifts = pairs[best], zooms[best], shifts[best]
    if not len(best):
        return Compared(kept, nothing, nothing)

    def agree(chunk: slice) -> tuple[Floats, Floats]:
        part = kept[chunk]
        grey = _taken(part, images.grey, references.grey)
        coarse = _taken(part, images.coarse, references.coarse)
        image, reference = zip(grey, coarse, strict=True)
        agreed, zoom, shift = agreement(image, reference, zooms[chunk], shifts[chunk])
        judged, close = np.full(len(agreed), -1, np.float32), np.flatnonzero(agreed > _DOUBTFUL)
        if len(close):
            judged[close] = _judged(images, references, part[close], zoom[close], shift[close])
        return agreed, judged

    both = zip(*_each(len(best), agree), strict=True)
    return Compared(kept, *(np.concatenate(kind) for kind in both))


def _judged(
    images: Pictures, references: Pictures, pairs: Candidates, zoom: Floats, shift: Floats
) -> Floats:
    """Return how likely aligned pairs show the same shot, (n,) in [-1, 1]."""
    image, reference = planes(images.pixels[pairs.rows]), planes(references.pixels[pairs.reference])
    image[pairs.mirrored] = image[pairs.mirrored][..., ::-1]
    return same(image, laid(reference, zoom, shift), overlap(zoom, shift, 32))


def _best(rows: NDArray[np.int64], fits: Floats, tried: int) -> NDArray[np.int64]:
    """Return the indices of the best fits of each row, without those below HOPELESS."""
    order = np.lexsort((-fits, rows))
    rows = rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return order[(rank < tried) & (fits[order] > HOPELESS)]


def _share(advance: Callable[[int], object], images: int, whole: int) -> Callable[[int], object]:
    """Return a function that is called with work done, of `whole`: it advances by `images`."""
    done, lock = 0, threading.Lock()

    def more(part: int) -> None:
        nonlocal done
        with lock:
            before, done = done, done + part
            advance(done * images // whole - before * images // whole)

    return more


def _taken(pairs: Candidates, images: NDArray[T], references: NDArray[T]) -> tuple[Floats, Floats]:
    """Return both sides of pairs, of values (n, ..., across); mirrored pairs are mirrored."""
    image, reference = (
        side[rows].astype(np.float32)
        for side, rows in ((images, pairs.rows), (references, pairs.reference))
    )
    image[pairs.mirrored] = image[pairs.mirrored][..., ::-1]
    return image, reference


def _each(count: int, compare: Callable[[slice], R]) -> list[R]:
    """Compare `count` pairs chunk by chunk on every core."""
    chunks = [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(compare, chunks))
