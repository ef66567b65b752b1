"""Area under the ROC curve, with DeLong's interval."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._score import Score

_Z = 1.959963984540054  # two-sided 95 % of the normal distribution


def auroc(positive: ArrayLike, negative: ArrayLike) -> Score:
    """Return the probability that a positive has a higher value than a negative; ties count half.

    positive: (m,), negative: (n,), both at least one. The interval is that of DeLong et al. 1988,
    Biometrics 44, clipped to [0, 1]; from one positive or negative it is [0, 1].
    """
    above, below = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    wins = _placements(above, np.sort(below))
    losses = 1 - _placements(below, np.sort(above))
    value, count = float(wins.mean()), len(above) + len(below)
    if min(len(above), len(below)) < 2:
        return Score(value, 0.0, 1.0, n=count)
    deviation = np.sqrt(wins.var(ddof=1) / len(above) + losses.var(ddof=1) / len(below))
    low, high = value - _Z * deviation, value + _Z * deviation
    return Score(value, max(float(low), 0.0), min(float(high), 1.0), n=count)


def _placements(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each value, the fraction of sorted others below it; ties count half."""
    lower = np.searchsorted(others, values, side="left")
    upper = np.searchsorted(others, values, side="right")
    return np.asarray((lower + upper) / (2 * len(others)))
