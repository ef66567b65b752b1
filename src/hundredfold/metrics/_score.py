"""A score: a value, its 95 % interval, and the number of images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054  # 0.975 quantile of the standard normal distribution


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval; `n` is the number of images.

    The interval is over samples of images for a fixed network. It does not cover the variation
    between trainings with different seeds.
    """

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return a dictionary for JSON; a bound that is not finite becomes None."""
        return {
            "value": self.value,
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "n": self.n,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, float | None]) -> "Score":
        """Read the result of `to_json`; a missing bound becomes infinite."""
        low, high = stored.get("low"), stored.get("high")
        return cls(
            value=float(stored["value"] or 0.0),
            low=-math.inf if low is None else float(low),
            high=math.inf if high is None else float(high),
            n=int(stored["n"] or 0),
        )


def wilson(fraction: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a fraction in `n` trials (Wilson 1927, JASA 22, 209-212).

    Unlike fraction +/- 1.96 sd it stays within [0, 1] and has a width above 0 at 0 and at 1.
    `n` may be an effective number of trials and need not be whole.
    """
    shrink = 1 + Z95**2 / n
    centre = (fraction + Z95**2 / (2 * n)) / shrink
    half = Z95 * math.sqrt(fraction * (1 - fraction) / n + Z95**2 / (4 * n**2)) / shrink
    return max(0.0, min(centre - half, fraction)), min(1.0, max(centre + half, fraction))


def fraction_score(correct: NDArray[np.bool_]) -> Score:
    """Return the fraction of True with its Wilson interval."""
    fraction = float(np.mean(correct))
    return Score(fraction, *wilson(fraction, len(correct)), n=len(correct))


def mean_score(values: NDArray[np.float64], *, most: float = math.inf) -> Score:
    """Return the mean of values in [0, most] with its normal 95 % interval.

    For one image the interval is [0, most].
    """
    n, mean = len(values), float(np.mean(values))
    half = Z95 * float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return Score(mean, max(0.0, mean - half), min(most, mean + half), n)


def class_mean_score(
    value: float, influence: NDArray[np.float64], support: NDArray[np.int64]
) -> Score:
    """Return a mean over classes with the Wilson interval of an effective number of images.

    influence: (n,) the change of the value by each image, to first order (the delta method); the
               variance of the value is the sum of their squares.
    support:   (classes,) number of images, for classes that have any.

    The effective number is value (1 - value) / variance, as for fractions in surveys (Korn and
    Graubard 1998), and at most n. Where the variance is 0, it is the one for equal recalls in all
    classes, classes^2 / sum(1 / support).
    """
    n = len(influence)
    variance = float(np.sum(influence**2))
    equal_recalls = len(support) ** 2 / float(np.sum(1 / support))
    effective = value * (1 - value) / variance if variance > 0 and 0 < value < 1 else equal_recalls
    return Score(value, *wilson(value, min(n, max(effective, 1.0))), n=n)
