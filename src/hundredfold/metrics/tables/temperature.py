"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599, section 4.2)."""

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.metrics._logits import Labels, Logits, checked, softmax

COLDEST, HOTTEST = 1e-2, 1e2


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the T for which the cross-entropy of logits / T is least, within [0.01, 100].

    Fit it on validation logits and divide the test logits by it: predictions stay, confidence
    comes close to accuracy. T > 1 means that the network was overconfident. Where every image is
    predicted correctly the least T is the best one: 0.01 says that there was nothing to fit on.
    """
    scored, truth = checked(logits, labels)
    low, high = 1 / HOTTEST, 1 / COLDEST
    inverse = 1.0
    for _ in range(100):  # Newton's steps within a bracket: the loss is convex in 1 / T
        slope, bend = _slope(scored, truth, inverse)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        step = inverse - slope / bend if bend > 0 else low
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - inverse) <= 1e-9 * inverse:
            break
        inverse = following
    return 1 / inverse


def _slope(logits: Logits, labels: Labels, inverse: float) -> tuple[float, float]:
    """Return the first and second derivative of the mean cross-entropy by 1 / T."""
    chance = softmax(logits * inverse)
    mean = (chance * logits).sum(axis=1)
    spread = (chance * (logits - mean[:, None]) ** 2).sum(axis=1)
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return float((mean - own).mean()), float(spread.mean())
