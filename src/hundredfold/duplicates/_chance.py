"""The agreement that different pictures of a set reach by chance.

Three samples of different pictures tell it:

- Upside down, the pictures of a set are similar pictures that are not in it.
- Where all pictures have one layout, as X-rays, faces and documents have, upside-down ones are too
  unlike. There, random pairs are compared,
- and, for a set of several layouts, pairs that are not an image's nearest.

The logarithm of the share of pairs above an agreement falls about linearly in its Fisher
transform (1915, artanh). So the share among thousands of pairs predicts that among all.
"""

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._candidates import KEPT, Candidates
from hundredfold.duplicates._compare import Compared, compared, registered
from hundredfold.duplicates._pictures import Pictures, chosen, upside_down
from hundredfold.duplicates._thumbnails import Floats

LEAST = 0.75  # smallest threshold of agreement for a near-duplicate
MOST = 0.99  # agreement above which even encoding an image again is not recognised
_UNALIGNED_MOST = 0.95  # largest threshold from upside-down images
_CHANCE = 0.003  # fraction of upside-down images that may find a partner
_FALSE_PAIRS = 0.5  # pairs of different pictures that may pass by chance
_UPSIDE_DOWN = 2000  # upside-down images
_PAIRS = 3000  # random pairs
_SAMPLE = 300  # images whose neighbours are compared
_NEAREST = 4  # neighbours that may be near-duplicates, such as a burst of photos
# Share of neighbours that can be registered from which a set has layouts. It is 0.10 of groceries
# and 0.38 to 0.47 of CIFAR-100; of blood cells, digits, made X-rays, faces and letters, 0.86 to 1.
_ALIKE = 0.65
_TAIL = (0.1, 0.02)  # shares of pairs between which the decay is measured
_FEWEST = 20  # pairs in the tail


def judged(
    images: Pictures, references: Pictures, not_row: NDArray[np.int64] | None, found: Compared
) -> tuple[Floats, float]:
    """Return a value (pairs,) of each pair found, and the value from which it is a near-duplicate.

    The value is how likely a pair shows the same shot; where pictures have one layout, it is the
    agreement, whose size by chance is known. The limit is in [LEAST, 1]. What no pair reaches is
    not estimated further.

    not_row: (n,), for each image a reference row that is excluded, such as the image itself.
    """
    most = max(found.agreed.max(initial=-1), found.same.max(initial=-1))
    if most < LEAST:
        return found.same, LEAST
    aligned_least, least = _upside_down(references)
    if found.agreed.max() < aligned_least and found.same.max() < least:
        return found.same, least
    neighbours = _neighbours(images, references, not_row)
    if len(neighbours) < _FEWEST or np.mean(neighbours > -1) < _ALIKE:
        return found.same, least
    pairs = len(images) * len(references) / (1 if not_row is None else 2)
    near_pairs = min(pairs, 10.0 * KEPT * len(images))  # those about as alike as neighbours
    by_chance = _random_pairs(images, references, not_row)
    chance = _extrapolated(by_chance, pairs), _extrapolated(neighbours, near_pairs)
    return found.agreed, max(aligned_least, *chance)


def _upside_down(references: Pictures) -> tuple[float, float]:
    """Return the agreement and the value of `same` that _CHANCE of upside-down images exceed."""
    rows = _spread(len(references), _UPSIDE_DOWN)
    found = compared(upside_down(references, rows), references, rows)
    best = np.full((2, len(rows)), -1, np.float32)
    for kind, values in zip(best, (found.agreed, found.same), strict=True):
        np.maximum.at(kind, found.pairs.rows, values)
    agreed, same = np.clip(np.quantile(best, 1 - _CHANCE, axis=1), LEAST, _UNALIGNED_MOST)
    return float(agreed), float(same)


def _neighbours(
    images: Pictures, references: Pictures, not_row: NDArray[np.int64] | None
) -> Floats:
    """Return the agreement of a sample of images with their neighbours after the nearest few."""
    rows = _spread(len(images), _SAMPLE)
    excluded = None if not_row is None else not_row[rows]
    found = compared(chosen(images, rows), references, excluded, tried=KEPT)
    order = np.lexsort((-found.agreed, found.pairs.rows))
    sorted_rows = found.pairs.rows[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_rows, sorted_rows)
    later = found.agreed[order][rank >= _NEAREST]
    unregistered = max(0, len(rows) * (min(KEPT, len(references)) - _NEAREST) - len(later))
    return np.concatenate([later, np.full(unregistered, -1, np.float32)])


def _random_pairs(
    images: Pictures, references: Pictures, not_row: NDArray[np.int64] | None
) -> Floats:
    """Return the agreement of random pairs; -1 for those that cannot be registered."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(images), _PAIRS)
    partners = rng.integers(0, len(references), _PAIRS)
    if not_row is not None:
        different = partners != not_row[rows]
        rows, partners = rows[different], partners[different]
    count = len(rows)
    zoom, shift = np.ones((count, 2), np.float32), np.zeros((count, 2), np.float32)
    pairs = Candidates(rows, partners, np.zeros(count, bool), zoom, shift)
    agreed = registered(images, references, pairs, tried=_PAIRS).agreed
    return np.concatenate([agreed, np.full(count - len(agreed), -1, np.float32)])


def _extrapolated(agreed: Floats, pairs: float) -> float:
    """Return the agreement that _FALSE_PAIRS of so many pairs exceed; LEAST for too short a tail.

    agreed: (n,), the agreement of a sample of them.
    """
    live = int(np.sum(agreed > -1))
    share = min(_TAIL[0], live / 2 / len(agreed))
    count = int(share * len(agreed))
    if count < _FEWEST:
        return LEAST
    falling = np.sort(np.arctanh(np.clip(agreed, -0.99, 0.9999)))[::-1]
    rarer = int(count * _TAIL[1] / _TAIL[0])
    low, high = falling[count - 1], falling[rarer - 1]
    decay = (high - low) / np.log(count / rarer)
    return float(np.tanh(low + decay * max(0.0, np.log(share * pairs / _FALSE_PAIRS))))


def _spread(count: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))
