"""Select, for each image, the few reference images that may be near-duplicates of it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates import _cells
from hundredfold.duplicates._descriptor import MIRRORED, VIEWS, mirror_signs, unit
from hundredfold.duplicates._pictures import Pictures
from hundredfold.duplicates._thumbnails import Floats
from hundredfold.machine import cores

KEPT = 16  # candidates per image
MOST_COMPARED = 4 * 10**9  # images x references that are compared all with all; else in cells
_BLOCK = 250  # images compared at a time
_TILE = 1000  # references compared at a time; both stay in the processor's cache
_GROUPS = 200  # groups of references; the best candidates are in the groups with the best maximum
_CLOSE = 0.1  # difference in cosine up to which an image and its mirror are both candidates

# View of the image and view of the reference image: either is whole. Cells compare the first few.
_PARTS = range(1, len(VIEWS))
_PAIRS = ((0, 0), (0, 1), (1, 0), *((0, v) for v in _PARTS[1:]), *((v, 0) for v in _PARTS[1:]))
_IN_CELLS = 3

Vectors = dict[tuple[int, bool], Floats]  # by view and mirroring


@dataclass(frozen=True)
class Candidates:
    """Pairs to be registered: row i of images and of reference images, and their alignment.

    rows, reference: (pairs,), rows of the images and of the reference images.
    mirrored: (pairs,), whether the image is mirrored first.
    zoom:     (pairs, 2), the fractions of the reference image's height and width in the image, a
              first guess.
    shift:    (pairs, 2), where the image's middle is in the reference image, in half sides.
    """

    rows: NDArray[np.int64]
    reference: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    zoom: Floats
    shift: Floats

    def __getitem__(self, index: NDArray[np.int64] | slice) -> "Candidates":
        return Candidates(*(getattr(self, name)[index] for name in _FIELDS))


def candidates(
    images: Pictures,
    references: Pictures,
    not_row: NDArray[np.int64] | None = None,
    advance: Callable[[int], object] = lambda _done: None,
) -> Candidates:
    """Return KEPT candidates per image.

    not_row: (n,), for each image a reference row that is excluded, such as the image itself.
    advance: is called with the number of images that were compared.
    """
    image_vectors: Vectors = {}
    reference_vectors, directions = [], references.directions
    for view in range(len(VIEWS)):
        for mirrored, shown in ((False, view), (True, MIRRORED[view])):
            seen = images.views[:, shown].astype(np.float32)
            seen = seen * mirror_signs() if mirrored else seen
            image_vectors[view, mirrored] = unit(seen @ directions)
        reference_vectors.append(unit(references.views[:, view].astype(np.float32) @ directions))
    if len(images) * len(references) > MOST_COMPARED:
        compared = _PAIRS[:_IN_CELLS]
        rows, partners = _cells.search(
            image_vectors, reference_vectors, compared, not_row, KEPT, advance
        )
    else:
        compared = _PAIRS
        search = _Search(image_vectors, reference_vectors, len(references), not_row, advance)
        starts = range(0, len(images), _BLOCK)
        with ThreadPoolExecutor(cores()) as pool:
            blocks = list(pool.map(search.block, starts))
        rows, partners = (np.concatenate(kind) for kind in zip(*blocks, strict=True))
    return _oriented(rows, partners, image_vectors, reference_vectors, compared)


class _Search:
    """Find the best candidates of blocks of images; each thread reuses its own buffers."""

    def __init__(
        self,
        image_vectors: Vectors,
        reference_vectors: list[Floats],
        count: int,
        not_row: NDArray[np.int64] | None,
        advance: Callable[[int], object],
    ) -> None:
        self.image_vectors, self.count, self.not_row = image_vectors, count, not_row
        self.advance = advance
        self.wide = -(-count // _GROUPS) * _GROUPS
        padding = ((0, self.wide - count), (0, 0))
        self.reference_vectors = [np.pad(vectors, padding) for vectors in reference_vectors]
        self.local = threading.local()

    def block(self, start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return image rows and reference rows of the candidates of the block at `start`."""
        likeness = self._likeness(start)
        count = len(likeness)
        grouped = likeness.reshape(count, -1, _GROUPS)
        kept = min(KEPT, self.count)
        groups = np.argpartition(-grouped.max(1), min(kept, _GROUPS) - 1, axis=1)[:, :kept]
        grouped_best = np.take_along_axis(grouped, groups[:, None, :], 2).reshape(count, -1)
        best = np.argpartition(-grouped_best, min(kept, grouped_best.shape[1]) - 1, axis=1)[
            :, :kept
        ]
        width = groups.shape[1]
        partners = best // width * _GROUPS + np.take_along_axis(groups, best % width, 1)
        real = np.take_along_axis(grouped_best, best, 1) > -1.5
        rows = np.broadcast_to(np.arange(start, start + count)[:, None], partners.shape)
        self.advance(count)
        return rows[real], partners[real]

    def _likeness(self, start: int) -> Floats:
        """Return (block, padded references): the largest cosine over views and mirrors."""
        if not hasattr(self.local, "best"):
            self.local.best = np.empty((_BLOCK, self.wide), np.float32)
        blocks = {key: every[start : start + _BLOCK] for key, every in self.image_vectors.items()}
        best: Floats = self.local.best[: len(blocks[0, False])]
        for low in range(0, self.wide, _TILE):
            tile = best[:, low : low + _TILE]
            tile[:] = -2
            for view, reference_view in _PAIRS:
                vectors = self.reference_vectors[reference_view][low : low + _TILE].T
                for mirrored in (False, True):
                    np.maximum(tile, blocks[view, mirrored] @ vectors, out=tile)
        best[:, self.count :] = -2
        if self.not_row is not None:
            best[np.arange(len(best)), self.not_row[start : start + len(best)]] = -2
        return best


def _oriented(
    rows: NDArray[np.int64],
    references: NDArray[np.int64],
    image_vectors: Vectors,
    reference_vectors: list[Floats],
    compared: Sequence[tuple[int, int]],
) -> Candidates:
    """Return each pair with its best alignment; twice if both mirrorings fit about as well."""
    fits, (zooms, shifts) = [], _starts(compared)
    for mirrored in (False, True):
        cosines = [
            _dots(image_vectors[view, mirrored], reference_vectors[other], rows, references)
            for view, other in compared
        ]
        fits.append(np.stack(cosines))
    plain, mirror = (fit.max(0) for fit in fits)
    choices = [(False, plain >= mirror - _CLOSE), (True, mirror >= plain - _CLOSE)]
    oriented = []
    for (mirrored, good), fit in zip(choices, fits, strict=True):
        best, same = fit.argmax(0)[good], np.full(good.sum(), mirrored)
        oriented.append(Candidates(rows[good], references[good], same, zooms[best], shifts[best]))
    return Candidates(*(np.concatenate([getattr(c, n) for c in oriented]) for n in _FIELDS))


def _starts(compared: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
    """Return zooms and shifts (pairs of views, 2) at which the views of each pair are one."""
    views = np.array(VIEWS, np.float32)  # (views, down and across, part and offset)
    image, reference = (views[list(side)] for side in zip(*compared, strict=True))
    zooms = reference[:, :, 0] / image[:, :, 0]
    return zooms, reference[:, :, 1] - zooms * image[:, :, 1]


_FIELDS = ("rows", "reference", "mirrored", "zoom", "shift")


def _dots(
    a: Floats,
    b: Floats,
    rows: NDArray[np.int64],
    references: NDArray[np.int64],
    chunk: int = 100_000,
) -> Floats:
    starts = range(0, max(len(rows), 1), chunk)
    parts = [(a[rows[s : s + chunk]] * b[references[s : s + chunk]]).sum(1) for s in starts]
    return np.concatenate(parts)
