"""A subset of labelled files, drawn class by class as a function of their names."""

import hashlib
import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_VALIDATION = 1000  # images
_SEED = b"subset 0"


def drawn(names: Sequence[str], labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the rows of about `count` files, ascending; a smaller subset lies within a larger.

    From each class its share is drawn, rounded, and at least two files where it has them, so that
    one can become validation. A file's rank depends on its name alone: other files do not move it.

    names: relative paths. labels: (n,), class indices. count: 0 or n and more return all rows.
    """
    if not 0 < count < len(names):
        return np.arange(len(names))
    order = np.lexsort((_ranks(names), labels))
    sizes = np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    fraction = count / len(names)
    taken = [
        order[start : start + _taken(int(size), fraction)]
        for start, size in zip(starts, sizes, strict=True)
    ]
    return np.sort(np.concatenate(taken))


def for_validation(count: int, of: int, size: int) -> int:
    """Return how many of a part's `size` validation images belong to `count` of `of` others.

    They are in proportion, rounded up, but at least `LEAST_VALIDATION` where there are as many: a
    score of fewer says little. count: 0 or all return `size`.
    """
    if not 0 < count < of:
        return size
    return max(math.ceil(size * count / of), min(size, LEAST_VALIDATION))


def _taken(size: int, fraction: float) -> int:
    return min(size, max(2, int(size * fraction + 0.5)))


def _ranks(names: Sequence[str]) -> NDArray[np.uint64]:
    digests = (hashlib.blake2b(os.fsencode(n), digest_size=8, key=_SEED) for n in names)
    return np.frombuffer(b"".join(digest.digest() for digest in digests), ">u8").astype(np.uint64)
