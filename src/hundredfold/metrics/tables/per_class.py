"""Precision, recall and F1 of each class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._logits import checked, counts, f1, ratio


@dataclass(frozen=True)
class PerClass:
    """One entry a class, (classes,) each.

    precision: of the images predicted as the class, the fraction that is.
    recall:    of the images of the class, the fraction predicted so.
    f1:        their harmonic mean.
    support:   how many images the class has.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def per_class(logits: ArrayLike, labels: ArrayLike) -> PerClass:
    """Return precision, recall, F1 and support; a fraction of nothing is 0."""
    scored, truth = checked(logits, labels)
    table = counts(scored.argmax(axis=1), truth, scored.shape[1])
    correct, support = np.diag(table), table.sum(axis=1)
    precision, recall = ratio(correct, table.sum(axis=0)), ratio(correct, support)
    return PerClass(precision, recall, f1(table), support)
