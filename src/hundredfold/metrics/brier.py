"""The Brier score (Brier 1950, Monthly Weather Review 78, 1-3)."""

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.metrics._logits import checked, softmax
from hundredfold.metrics._score import Score, mean_score

ORDER = 70
TITLE = "Brier score"
FORMAT = "number"
BEST = 0
RANGE = (0, 2)


def brier(logits: ArrayLike, labels: ArrayLike) -> Score:
    """Return the mean squared error of the probabilities, summed over classes, in [0, 2].

    This is Brier's definition; for two classes it is twice the binary form. The interval is the
    normal one.
    """
    scored, truth = checked(logits, labels)
    error = softmax(scored)
    error[np.arange(len(truth)), truth] -= 1
    return mean_score((error**2).sum(axis=1), most=2.0)
