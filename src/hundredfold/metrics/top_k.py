"""Fraction of images whose class is among the k likeliest."""

from numpy.typing import ArrayLike

from hundredfold.errors import UsageError
from hundredfold.metrics._logits import checked, rank
from hundredfold.metrics._score import Score, fraction_score

ORDER = 10
TITLE = "top-{k} accuracy"
FORMAT = "percent"
BEST = 1
RANGE = (0, 1)
SCORES = {"top_1": {"k": 1}, "top_5": {"k": 5}}


def top_k(logits: ArrayLike, labels: ArrayLike, *, k: int = 1) -> Score:
    """Return the fraction of images whose label is among the k largest logits.

    Ties rank the smaller class index first, so k=1 is exactly argmax. With k >= classes the score
    is 1. The interval is Wilson's.
    """
    if k < 1:
        raise UsageError(f"top_k(k={k}) is less than 1", remedy="top_k(k=1)")
    return fraction_score(rank(*checked(logits, labels)) < k)
