"""Balance uneven classes: weights in the loss, or an order that draws each class equally often."""

import numpy as np
from numpy.typing import NDArray


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return (classes,), the inverse frequency of each class, with a mean of 1 over the images.

    labels: (n,), of the training images. A class without images has the weight 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights: NDArray[np.float64] = len(labels) / (np.maximum(counts, 1) * max(present, 1))
    return np.where(counts > 0, weights, 0.0)


def balanced_order(
    labels: NDArray[np.int64], indices: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return as many of the rows `indices` in random order, each class equally often.

    labels: of all rows. Counts per class differ by at most 1. Images of small classes repeat, each
    about equally often; of large ones a random part is drawn.
    """
    present = rng.permutation(np.unique(labels[indices]))  # who gets one more is random
    quota = np.full(len(present), len(indices) // max(len(present), 1))
    quota[: len(indices) - quota.sum()] += 1
    drawn = [
        _cycled(indices[labels[indices] == label], count, rng)
        for label, count in zip(present, quota, strict=True)
    ]
    return rng.permutation(np.concatenate([*drawn, indices[:0]]))


def _cycled(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of the rows: whole random passes over them, then part of one."""
    passes = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate([*passes, rows[:0]])[:count]
