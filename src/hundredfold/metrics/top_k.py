"""Fraction of images whose class is among the k likeliest."""

from typing import Annotated

from numpy.typing import ArrayLike

from hundredfold.metrics._logits import checked, rank
from hundredfold.metrics._score import Score, fraction_score
from hundredfold.spec import Range

ORDER = 10
TITLE = "top-{k} accuracy"
FORMAT = "percent"
BEST = 1
RANGE = (0, 1)
SCORES = {"top_1": {"k": 1}, "top_5": {"k": 5}}


def top_k(
    logits: ArrayLike, labels: ArrayLike, *, k: Annotated[int, Range(1, 1_000_000)] = 1
) -> Score:
    """Return the fraction of images whose label is among the k largest logits.

    Ties rank the smaller class index first, so k=1 is exactly argmax. With k >= classes the score
    is 1. The interval is Wilson's.
    """
    return fraction_score(rank(*checked(logits, labels)) < k)
