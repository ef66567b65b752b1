"""Precision, recall and F1 of each class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._logits import checked, counts, f1, share


@dataclass(frozen=True)
class PerClass:
    """One entry a class, (classes,) each.

    precision: of the images predicted as the class, the share that is.
    recall:    of the images of the class, the share predicted so.
    f1:        their harmonic mean.
    support:   how many images the class has.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def per_class(logits: ArrayLike, labels: ArrayLike) -> PerClass:
    """Return precision, recall, F1 and support; a share of nothing is 0."""
    scored, truth = checked(logits, labels)
    table = counts(scored.argmax(axis=1), truth, scored.shape[1])
    right, support = np.diag(table), table.sum(axis=1)
    return PerClass(share(right, table.sum(axis=0)), share(right, support), f1(table), support)
