"""The few known images that each image could be a near-duplicate of, out of all of them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._descriptor import ZOOM, mirror_signs, unit
from hundredfold.duplicates._pictures import Pictures
from hundredfold.duplicates._thumbnails import Floats
from hundredfold.machine import cores

KEPT = 10  # candidates of each image
_BLOCK = 250  # images compared at a time
_GROUPS = 200  # of known images; an image's best candidates are in the groups of best maximum
_CLOSE = 0.1  # where an image and its mirror fit almost alike, both are candidates

# What of an image is compared with what of a known one, and the zoom between the two.
_VIEWS = (("whole", "whole", 1.0), ("whole", "centre", ZOOM), ("centre", "whole", 1 / ZOOM))


@dataclass(frozen=True)
class Candidates:
    """Pairs worth a closer look: rows of images and of known images, and how they may lie.

    mirrored: whether the image is to be mirrored first.
    zoom:     the known image's side that the image shows, as a first guess.
    """

    rows: NDArray[np.int64]
    known: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    zoom: Floats

    def __getitem__(self, some: NDArray[np.int64] | slice) -> "Candidates":
        return Candidates(self.rows[some], self.known[some], self.mirrored[some], self.zoom[some])


def candidates(
    images: Pictures, known: Pictures, not_row: NDArray[np.int64] | None = None
) -> Candidates:
    """Return KEPT candidates of each image; `not_row` names for each a known image that is none."""
    directions = known.directions
    mine = {
        (view, mirrored): unit(getattr(images, view) * (signs if mirrored else 1) @ directions)
        for view in ("whole", "centre")
        for mirrored, signs in ((False, 1), (True, mirror_signs()))
    }
    theirs = {view: unit(getattr(known, view) @ directions) for view in ("whole", "centre")}
    search = _Search(mine, theirs, len(known), not_row)
    starts = range(0, len(images), _BLOCK)
    with ThreadPoolExecutor(cores()) as pool:
        blocks = list(pool.map(search.block, starts))
    rows = np.concatenate([rows for rows, _ in blocks])
    partners = np.concatenate([partners for _, partners in blocks])
    return _oriented(rows, partners, mine, theirs)


class _Search:
    """Best candidates of blocks of images; each thread has memory of its own, written over."""

    def __init__(
        self,
        mine: dict[tuple[str, bool], Floats],
        theirs: dict[str, Floats],
        count: int,
        not_row: NDArray[np.int64] | None,
    ) -> None:
        self.mine, self.count, self.not_row = mine, count, not_row
        self.wide = -(-count // _GROUPS) * _GROUPS
        padding = ((0, self.wide - count), (0, 0))
        self.theirs = {view: np.pad(vectors, padding) for view, vectors in theirs.items()}
        self.local = threading.local()

    def block(self, start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return rows of images and their candidates for the block that begins at `start`."""
        likeness = self._likeness(start)
        count = len(likeness)
        grouped = likeness.reshape(count, -1, _GROUPS)
        kept = min(KEPT, self.count)
        groups = np.argpartition(-grouped.max(1), min(kept, _GROUPS) - 1, axis=1)[:, :kept]
        some = np.take_along_axis(grouped, groups[:, None, :], 2).reshape(count, -1)
        best = np.argpartition(-some, min(kept, some.shape[1]) - 1, axis=1)[:, :kept]
        width = groups.shape[1]
        partners = best // width * _GROUPS + np.take_along_axis(groups, best % width, 1)
        real = np.take_along_axis(some, best, 1) > -1.5
        rows = np.broadcast_to(np.arange(start, start + count)[:, None], partners.shape)
        return rows[real], partners[real]

    def _likeness(self, start: int) -> Floats:
        """Return (block, known, padded): the largest cosine over views and mirrors."""
        if not hasattr(self.local, "best"):
            self.local.best = np.empty((_BLOCK, self.wide), np.float32)
            self.local.one = np.empty_like(self.local.best)
        for number, (vectors, view) in enumerate(self._pairs()):
            some = vectors[start : start + _BLOCK]
            cosines = self.local.one if number else self.local.best
            np.matmul(some, self.theirs[view].T, out=cosines[: len(some)])
            if number:
                np.maximum(self.local.best, self.local.one, out=self.local.best)
        best: Floats = self.local.best[: len(some)]
        best[:, self.count :] = -2
        if self.not_row is not None:
            best[np.arange(len(best)), self.not_row[start : start + len(best)]] = -2
        return best

    def _pairs(self) -> Iterator[tuple[Floats, str]]:
        for mine, theirs, _ in _VIEWS:
            for mirrored in (False, True):
                yield self.mine[mine, mirrored], theirs


def _oriented(
    rows: NDArray[np.int64],
    known: NDArray[np.int64],
    mine: dict[tuple[str, bool], Floats],
    theirs: dict[str, Floats],
) -> Candidates:
    """Say how each pair lies best; a pair that lies well both ways is there twice."""
    fits, zooms = [], np.array([zoom for *_, zoom in _VIEWS], np.float32)
    for mirrored in (False, True):
        each = [_dots(mine[a, mirrored], theirs[b], rows, known) for a, b, _ in _VIEWS]
        fits.append(np.stack(each))
    plain, mirror = (fit.max(0) for fit in fits)
    ways = [(False, plain >= mirror - _CLOSE), (True, mirror >= plain - _CLOSE)]
    each_way = [
        Candidates(
            rows[good], known[good], np.full(good.sum(), mirrored), zooms[fit.argmax(0)][good]
        )
        for (mirrored, good), fit in zip(ways, fits, strict=True)
    ]
    return Candidates(*(np.concatenate([getattr(c, n) for c in each_way]) for n in _FIELDS))


_FIELDS = ("rows", "known", "mirrored", "zoom")


def _dots(
    a: Floats, b: Floats, rows: NDArray[np.int64], known: NDArray[np.int64], chunk: int = 100_000
) -> Floats:
    starts = range(0, max(len(rows), 1), chunk)
    parts = [(a[rows[s : s + chunk]] * b[known[s : s + chunk]]).sum(1) for s in starts]
    return np.concatenate(parts)
