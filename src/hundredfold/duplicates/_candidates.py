"""Select, for each image, the few reference images that may be near-duplicates of it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates import _cells
from hundredfold.duplicates._descriptor import ZOOM, mirror_signs, unit
from hundredfold.duplicates._pictures import Pictures
from hundredfold.duplicates._thumbnails import Floats
from hundredfold.machine import cores

KEPT = 16  # candidates per image
MOST_COMPARED = 4 * 10**9  # images x references that are compared all with all; else in cells
_BLOCK = 250  # images compared at a time
_GROUPS = 200  # groups of references; the best candidates are in the groups with the best maximum
_CLOSE = 0.1  # difference in cosine up to which an image and its mirror are both candidates

# View of the image, view of the reference image, and the zoom between the two.
_VIEWS = (("whole", "whole", 1.0), ("whole", "centre", ZOOM), ("centre", "whole", 1 / ZOOM))


@dataclass(frozen=True)
class Candidates:
    """Pairs to be registered: row i of images and of reference images, and their alignment.

    rows, reference: (pairs,), rows of the images and of the reference images.
    mirrored: (pairs,), whether the image is mirrored first.
    zoom:     (pairs, 2), the fractions of the reference image's height and width in the image, a
              first guess.
    """

    rows: NDArray[np.int64]
    reference: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    zoom: Floats

    def __getitem__(self, index: NDArray[np.int64] | slice) -> "Candidates":
        return Candidates(
            self.rows[index], self.reference[index], self.mirrored[index], self.zoom[index]
        )


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
    directions = references.directions
    image_vectors = {
        (view, mirrored): unit(getattr(images, view) * (signs if mirrored else 1) @ directions)
        for view in ("whole", "centre")
        for mirrored, signs in ((False, 1), (True, mirror_signs()))
    }
    reference_vectors = {
        view: unit(getattr(references, view) @ directions) for view in ("whole", "centre")
    }
    if len(images) * len(references) > MOST_COMPARED:
        views = [((a, mirrored), b) for a, b, _ in _VIEWS for mirrored in (False, True)]
        rows, partners = _cells.search(
            image_vectors, reference_vectors, views, not_row, KEPT, advance
        )
    else:
        search = _Search(image_vectors, reference_vectors, len(references), not_row, advance)
        starts = range(0, len(images), _BLOCK)
        with ThreadPoolExecutor(cores()) as pool:
            blocks = list(pool.map(search.block, starts))
        rows, partners = (np.concatenate(kind) for kind in zip(*blocks, strict=True))
    return _oriented(rows, partners, image_vectors, reference_vectors)


class _Search:
    """Find the best candidates of blocks of images; each thread reuses its own buffers."""

    def __init__(
        self,
        image_vectors: dict[tuple[str, bool], Floats],
        reference_vectors: dict[str, Floats],
        count: int,
        not_row: NDArray[np.int64] | None,
        advance: Callable[[int], object],
    ) -> None:
        self.image_vectors, self.count, self.not_row = image_vectors, count, not_row
        self.advance = advance
        self.wide = -(-count // _GROUPS) * _GROUPS
        padding = ((0, self.wide - count), (0, 0))
        self.reference_vectors = {
            view: np.pad(vectors, padding) for view, vectors in reference_vectors.items()
        }
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
            self.local.current = np.empty_like(self.local.best)
        for number, (vectors, view) in enumerate(self._pairs()):
            block = vectors[start : start + _BLOCK]
            cosines = self.local.current if number else self.local.best
            np.matmul(block, self.reference_vectors[view].T, out=cosines[: len(block)])
            if number:
                np.maximum(self.local.best, self.local.current, out=self.local.best)
        best: Floats = self.local.best[: len(block)]
        best[:, self.count :] = -2
        if self.not_row is not None:
            best[np.arange(len(best)), self.not_row[start : start + len(best)]] = -2
        return best

    def _pairs(self) -> Iterator[tuple[Floats, str]]:
        for view, reference_view, _ in _VIEWS:
            for mirrored in (False, True):
                yield self.image_vectors[view, mirrored], reference_view


def _oriented(
    rows: NDArray[np.int64],
    references: NDArray[np.int64],
    image_vectors: dict[tuple[str, bool], Floats],
    reference_vectors: dict[str, Floats],
) -> Candidates:
    """Return each pair with its best alignment; twice if both mirrorings fit about as well."""
    fits, zooms = [], np.array([[zoom] * 2 for *_, zoom in _VIEWS], np.float32)
    for mirrored in (False, True):
        cosines = [
            _dots(image_vectors[a, mirrored], reference_vectors[b], rows, references)
            for a, b, _ in _VIEWS
        ]
        fits.append(np.stack(cosines))
    plain, mirror = (fit.max(0) for fit in fits)
    choices = [(False, plain >= mirror - _CLOSE), (True, mirror >= plain - _CLOSE)]
    oriented = [
        Candidates(
            rows[good], references[good], np.full(good.sum(), mirrored), zooms[fit.argmax(0)][good]
        )
        for (mirrored, good), fit in zip(choices, fits, strict=True)
    ]
    return Candidates(*(np.concatenate([getattr(c, n) for c in oriented]) for n in _FIELDS))


_FIELDS = ("rows", "reference", "mirrored", "zoom")


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
