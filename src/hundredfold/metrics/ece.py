"""Expected calibration error (Guo et al. 2017, arXiv:1706.04599, equation 3)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._bins import assign, edges
from hundredfold.metrics._logits import checked, softmax
from hundredfold.metrics._score import Score

ORDER = 60
TITLE = "expected calibration error"
FORMAT = "percent"
BEST = 0
RANGE = (0, 1)
DRAWS = 1000


def ece(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15, adaptive: bool = False) -> Score:
    """Return the mean distance of confidence from accuracy over bins of confidence, in [0, 1].

    adaptive=True takes bins of about equally many images instead of equal widths.

    The interval is the bootstrap's over images, bins held, reflected about the value: a mean of
    distances comes out too large, in each resample once more, so that percentiles would lie
    above the truth. It reaches down to 0 where a calibrated network would show such a value by
    chance in 5 % of draws or more. In simulations with 200 to
    5,000 images it held the truth in 85 to 97 % of draws, fewer where hardly an image is wrong.
    """
    scored, truth = checked(logits, labels)
    confidence = softmax(scored).max(axis=1)
    bin_of = assign(confidence, edges(confidence, bins, adaptive))
    gap = (scored.argmax(axis=1) == truth) - confidence
    value = _distance(bin_of, gap, bins)
    by_value = np.lexsort((gap, bin_of))  # the draws then do not depend on the images' order
    low, high = _resampled(bin_of[by_value], gap[by_value], bins)
    if value <= _calibrated(bin_of, confidence, bins):
        low = 0.0
    return Score(value, min(max(low, 0.0), value), min(max(high, value), 1.0), n=len(truth))


def _distance(bin_of: NDArray[np.int64], gap: NDArray[np.float64], bins: int) -> float:
    return float(np.abs(np.bincount(bin_of, gap, minlength=bins)).sum() / len(gap))


def _resampled(
    bin_of: NDArray[np.int64], gap: NDArray[np.float64], bins: int
) -> tuple[float, float]:
    """Return the 95 % interval of the reflected bootstrap (Davison and Hinkley 1997, 5.2)."""
    generator, n = np.random.default_rng(0), len(gap)
    draws = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = generator.integers(n, size=n, dtype=np.int32)
        draws[draw] = _distance(bin_of[chosen], gap[chosen], bins)
    value, (lower, upper) = _distance(bin_of, gap, bins), np.quantile(draws, (0.025, 0.975))
    return float(2 * value - upper), float(2 * value - lower)


def _calibrated(bin_of: NDArray[np.int64], confidence: NDArray[np.float64], bins: int) -> float:
    """Return what a calibrated network of these confidences stays below in 95 % of draws."""
    deviation = np.sqrt(np.bincount(bin_of, confidence * (1 - confidence), minlength=bins))
    sums = np.random.default_rng(0).standard_normal((DRAWS, bins)) * deviation
    return float(np.quantile(np.abs(sums).sum(axis=1) / len(confidence), 0.95))
