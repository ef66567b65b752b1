"""Hits and false alarms of two classes by threshold, for ROC and precision-recall curves.

Fawcett 2006, Pattern Recognition Letters 27, 861-874, algorithm 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.errors import DataError
from hundredfold.metrics._logits import checked

CLASSES = 2


@dataclass(frozen=True)
class Roc:
    """Images of two classes that reach each threshold; the second class is the positive one.

    odds:         (k,), descending distinct log-odds of the second class: thresholds.
    hits:         (k,), positive images with at least these odds.
    false_alarms: (k,), negative images with at least these odds.
    positives, negatives: number of all.
    """

    odds: NDArray[np.float64]
    hits: NDArray[np.int64]
    false_alarms: NDArray[np.int64]
    positives: int
    negatives: int

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """(k,), fraction of the positive images that reach the threshold."""
        return self.hits / max(self.positives, 1)

    @property
    def specificity(self) -> NDArray[np.float64]:
        """(k,), fraction of the negative images that do not reach the threshold."""
        return 1 - self.false_alarms / max(self.negatives, 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """(k,), fraction of the images that reach the threshold that is positive."""
        return self.hits / (self.hits + self.false_alarms)

    @property
    def average_precision(self) -> float:
        """The mean of precision over the positive images, each at its own threshold."""
        return float(
            (np.diff(self.hits, prepend=0) * self.precision).sum() / max(self.positives, 1)
        )


def roc(logits: ArrayLike, labels: ArrayLike) -> Roc:
    """Return the curve of logits (n, 2) and labels (n,). Raises DataError for other classes."""
    scored, truth = checked(logits, labels)
    if scored.shape[1] != CLASSES:
        raise DataError(
            "a ROC curve is of two classes", found=f"logits of {scored.shape[1]} classes"
        )
    odds = scored[:, 1] - scored[:, 0]
    order = np.argsort(-odds, kind="stable")
    odds, positive = odds[order], truth[order] == 1
    ends = np.flatnonzero(np.append(odds[1:] != odds[:-1], True))
    hits = np.cumsum(positive)[ends].astype(np.int64)
    return Roc(odds[ends], hits, ends + 1 - hits, int(positive.sum()), int((~positive).sum()))
