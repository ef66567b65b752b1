"""Divide the micro-batches of a batch among processes.

Whole micro-batches are dealt where there are enough of them. So BatchNorm sees the images that it
sees in one process. Otherwise each process has some images of a micro-batch, and the statistics of
BatchNorm are those of all of its images (`synchronised.py`). Random layers draw for the whole
micro-batch, of which a process takes its own rows. So the number of processes changes rounding
only.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple


class Portion(NamedTuple):
    """Images of one micro-batch that a process computes.

    number: of the micro-batch in its batch. first: row of the batch. images: of these.
    before: images of the micro-batch in front of these. size: images of the whole micro-batch.
    """

    number: int
    first: int
    images: int
    before: int
    size: int

    @property
    def whole(self) -> bool:
        """Whether this is all of the micro-batch."""
        return self.images == self.size


class Division(NamedTuple):
    """The division of a batch among processes: `portions` of each.

    shared: whether micro-batches have images in several processes.
    """

    portions: list[list[Portion]]
    shared: bool


def divide(
    batch: int, pieces: int, world: int, *, together: bool = False, apart: bool = True
) -> Division:
    """Divide a batch in `pieces` micro-batches of nearly equal size among `world` processes.

    together: whether every process has images of every micro-batch, which has at least `world`;
    needed where the processes exchange statistics within a micro-batch. apart: whether
    micro-batches may be computed without those before them.
    """
    edges = _edges(batch, pieces)
    if pieces >= world and apart:
        dealt = _edges(pieces, world)
        return Division(
            [
                [_portion(edges, k, *edges[k : k + 2]) for k in range(*pair)]
                for pair in pairwise(dealt)
            ],
            shared=False,
        )
    portions: list[list[Portion]] = [[] for _ in range(world)]
    if together or not apart:
        for k, (start, stop) in enumerate(pairwise(edges)):
            for rank, (low, high) in enumerate(pairwise(_edges(stop - start, world))):
                portions[rank].append(_portion(edges, k, start + low, start + high))
        return Division(portions, shared=True)
    for rank, (low, high) in enumerate(pairwise(_edges(batch, world))):
        for k, (start, stop) in enumerate(pairwise(edges)):
            if max(low, start) < min(high, stop):
                portions[rank].append(_portion(edges, k, max(low, start), min(high, stop)))
    return Division(portions, shared=True)


def whole_pieces(sizes: Iterable[int]) -> list[Portion]:
    """Return the portions of one process, which computes every micro-batch."""
    portions, first = [], 0
    for number, size in enumerate(sizes):
        portions.append(Portion(number, first, size, 0, size))
        first += size
    return portions


def _edges(count: int, parts: int) -> list[int]:
    """Return the edges of parts of nearly equal size, as `torch.tensor_split` has them."""
    size, larger = divmod(count, parts)
    return [size * k + min(k, larger) for k in range(parts + 1)]


def _portion(edges: list[int], number: int, start: int, stop: int) -> Portion:
    first, end = edges[number : number + 2]
    return Portion(number, start, stop - start, start - first, end - first)
