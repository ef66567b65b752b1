"""Expected calibration error (Guo et al. 2017, arXiv:1706.04599, equation 3)."""

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._bins import assign, edges
from hundredfold.metrics._logits import checked, softmax
from hundredfold.metrics._score import Score
from hundredfold.spec import Range

ORDER = 60
TITLE = "expected calibration error"
FORMAT = "percent"
BEST = 0
RANGE = (0, 1)
DRAWS = 1000  # resamples


def ece(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    bins: Annotated[int, Range(1, 10_000)] = 15,
    adaptive: bool = False,
) -> Score:
    """Return the mean of |accuracy - confidence| over bins of confidence, in [0, 1].

    bins: at least 1. adaptive: bins with equally many images instead of equal widths.

    The interval is a bootstrap over images with fixed bins, reflected about the value. A mean of
    absolute values is biased upwards, and more so in each resample, so percentiles would lie above
    the true value. The interval extends to 0 where a calibrated network reaches such a value by
    chance with a probability of 5 % or more. In simulations with 200 to 5,000 images it covered
    the true value in 85 to 97 % of samples, less often where nearly all images are correct.
    """
    scored, truth = checked(logits, labels)
    confidence = softmax(scored).max(axis=1)
    bin_of = assign(confidence, edges(confidence, bins, adaptive))
    gap = (scored.argmax(axis=1) == truth) - confidence
    value = _distance(bin_of, gap, bins)
    by_value = np.lexsort((gap, bin_of))  # makes resamples independent of the images' order
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
    """Return the 95 % quantile of the error of a calibrated network with these confidences."""
    deviation = np.sqrt(np.bincount(bin_of, confidence * (1 - confidence), minlength=bins))
    sums = np.random.default_rng(0).standard_normal((DRAWS, bins)) * deviation
    return float(np.quantile(np.abs(sums).sum(axis=1) / len(confidence), 0.95))
