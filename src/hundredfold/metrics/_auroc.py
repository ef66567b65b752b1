"""Area under the ROC curve, with an interval from DeLong's variance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._score import Score, wilson


def auroc(positive: ArrayLike, negative: ArrayLike) -> Score:
    """Return the probability that a positive has a higher value than a negative; ties count half.

    positive: (m,), negative: (n,), both at least one. The variance is that of DeLong, DeLong &
    Clarke-Pearson 1988, Biometrics 44, 837-845, equation 5. The interval is Wilson's of the
    number of images for which a fraction has this variance. It lies between the smaller of m and
    n, as the variance is at most value (1 - value) / min(m, n) (van Dantzig 1951, Indagationes
    Mathematicae 13, 1-8), and m + n. So it has a width where all pairs are ranked correctly too.
    """
    above, below = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    wins = _placements(above, np.sort(below))
    losses = 1 - _placements(below, np.sort(above))
    value, count = float(wins.mean()), len(above) + len(below)
    fewest = min(len(above), len(below))
    variance = 0.0
    if fewest > 1:
        variance = float(wins.var(ddof=1) / len(above) + losses.var(ddof=1) / len(below))
    images = value * (1 - value) / variance if variance > 0 else fewest
    return Score(value, *wilson(value, min(max(images, fewest), count)), n=count)


def _placements(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each value, the fraction of sorted others below it; ties count half."""
    lower = np.searchsorted(others, values, side="left")
    upper = np.searchsorted(others, values, side="right")
    return np.asarray((lower + upper) / (2 * len(others)))
