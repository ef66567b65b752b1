"""Search candidates of many images in cells: an image meets only the references near it.

References are grouped around centroids, and of each image the nearest few cells are searched (the
inverted file of Jegou, Douze and Schmid 2011, section IV). With cells of equal size, the cost grows
in proportion to the images; comparing all with all, it grows with their square.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._descriptor import unit
from hundredfold.duplicates._thumbnails import Floats
from hundredfold.machine import cores

Indices = NDArray[np.int64]
View = tuple[int, bool]

_SIZE = 400  # references of a cell, about
_PROBED = 8  # cells of an image, for each of its views
_BEST = 4  # candidates of each cell
_ROUNDS = 4  # of k-means
_SAMPLE = 30  # references per centroid that k-means is fitted to
_BLOCK = 20_000  # images searched at a time


def search(
    images: Mapping[View, Floats],
    references: Sequence[Floats],
    views: Sequence[tuple[int, int]],
    not_row: Indices | None,
    kept: int,
    advance: Callable[[int], object] = lambda _done: None,
) -> tuple[Indices, Indices]:
    """Return rows of images and of references: up to `kept` candidates of each image.

    images: unit vectors (n, length) of each view, mirrored or not. references: of each view.
    views: pairs of a view of the image and one of the reference, which are compared.
    not_row: (n,), for each image a reference row that is excluded.
    advance: is called with the number of images that were compared.
    """
    whole = references[0]
    centroids = _centroids(whole, max(1, len(whole) // _SIZE))
    cells = {view: _Cells(references[view], centroids) for view in {v for _, v in views}}
    count = len(images[views[0][0], False])

    def block(start: int) -> tuple[Indices, Indices]:
        rows = np.arange(start, min(start + _BLOCK, count))
        near = [
            cells[other].nearest(every[rows], None if not_row is None else not_row[rows])
            for view, other in views
            for every in (images[view, False], images[view, True])
        ]
        found, partners, cosines = (np.concatenate(kind) for kind in zip(*near, strict=True))
        found, partners = _best(found, partners, cosines, kept)
        advance(len(rows))
        return found + start, partners

    starts = range(0, count, _BLOCK)
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(block, starts))
    rows, partners = (np.concatenate(kind) for kind in zip(*found, strict=True))
    return rows, partners


class _Cells:
    """Reference vectors, sorted by the cell that they are in."""

    def __init__(self, vectors: Floats, centroids: Floats) -> None:
        cell = _nearest(vectors, centroids, 1)[:, 0]
        self.order = np.argsort(cell, kind="stable")
        self.starts = np.searchsorted(cell[self.order], np.arange(len(centroids) + 1))
        self.vectors, self.centroids = vectors[self.order], centroids

    def nearest(self, images: Floats, not_row: Indices | None) -> tuple[Indices, Indices, Floats]:
        """Return image rows, reference rows and cosines of the best of each probed cell."""
        probed = _nearest(images, self.centroids, _PROBED)
        order = np.argsort(probed, axis=None, kind="stable")
        rows, cell = order // probed.shape[1], probed.ravel()[order]
        bounds = np.searchsorted(cell, np.arange(len(self.centroids) + 1))
        compare = partial(self._in_cell, images, not_row)
        parts = [
            compare(number, rows[bounds[number] : bounds[number + 1]])
            for number in range(len(self.centroids))
        ]
        found, partners, cosines = (np.concatenate(kind) for kind in zip(*parts, strict=True))
        return found, partners, cosines

    def _in_cell(
        self, images: Floats, not_row: Indices | None, number: int, rows: Indices
    ) -> tuple[Indices, Indices, Floats]:
        inside = slice(self.starts[number], self.starts[number + 1])
        partners = self.order[inside]
        cosines = images[rows] @ self.vectors[inside].T
        if not_row is not None:
            cosines[partners == not_row[rows][:, None]] = -2
        count = min(_BEST, cosines.shape[1])
        if not count:
            return rows[:0], partners[:0], cosines.ravel()[:0]
        best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(cosines, best, 1)
        real = values > -1.5
        return np.repeat(rows, count)[real.ravel()], partners[best][real], values[real]


def _best(rows: Indices, partners: Indices, cosines: Floats, kept: int) -> tuple[Indices, Indices]:
    """Return the `kept` best distinct partners of each row."""
    order = np.lexsort((-cosines, partners, rows))
    rows, partners, cosines = rows[order], partners[order], cosines[order]
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]) | (partners[1:] != partners[:-1])
    rows, partners, cosines = rows[first], partners[first], cosines[first]
    order = np.lexsort((-cosines, rows))
    rows, partners = rows[order], partners[order]
    good = np.arange(len(rows)) - np.searchsorted(rows, rows) < kept
    return rows[good], partners[good]


def _centroids(vectors: Floats, count: int) -> Floats:
    """Return (count, length): centroids of a sample of unit vectors, by spherical k-means."""
    sample = np.linspace(0, len(vectors) - 1, min(len(vectors), _SAMPLE * count)).astype(np.int64)
    points = vectors[sample]
    centroids = points[np.random.default_rng(0).permutation(len(points))[:count]]
    for _ in range(_ROUNDS):
        cell = _nearest(points, centroids, 1)[:, 0]
        sums = np.zeros_like(centroids)
        np.add.at(sums, cell, points)
        filled = np.bincount(cell, minlength=len(centroids)) > 0
        centroids = np.where(filled[:, None], unit(sums), centroids)
    return centroids


def _nearest(vectors: Floats, centroids: Floats, count: int) -> Indices:
    """Return (n, count), the cells nearest to each vector, in no order."""
    count = min(count, len(centroids))
    blocks: Iterable[Floats] = np.array_split(vectors, max(1, len(vectors) // 2000))
    parts = [
        np.argpartition(-(block @ centroids.T), count - 1, axis=1)[:, :count] for block in blocks
    ]
    return np.concatenate(parts).astype(np.int64)
