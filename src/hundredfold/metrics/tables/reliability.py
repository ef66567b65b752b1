"""The reliability diagram: accuracy by confidence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._bins import assign, edges
from hundredfold.metrics._logits import checked, softmax


@dataclass(frozen=True)
class Reliability:
    """Bins of confidence.

    edges:      (bins + 1,) from 0 to 1; a bin holds its upper edge.
    count:      (bins,) images.
    confidence: (bins,) their mean confidence, NaN where a bin is empty.
    accuracy:   (bins,) the fraction of them predicted correctly, NaN where a bin is empty.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def reliability(
    logits: ArrayLike, labels: ArrayLike, *, bins: int = 15, adaptive: bool = False
) -> Reliability:
    """Return confidence and accuracy in bins, the same bins as those of `ece`."""
    scored, truth = checked(logits, labels)
    confidence = softmax(scored).max(axis=1)
    correct = (scored.argmax(axis=1) == truth).astype(np.float64)
    ends = edges(confidence, bins, adaptive)
    bin_of = assign(confidence, ends)
    count = np.bincount(bin_of, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    return Reliability(
        edges=ends,
        count=count,
        confidence=np.bincount(bin_of, confidence, minlength=bins) / filled,
        accuracy=np.bincount(bin_of, correct, minlength=bins) / filled,
    )
