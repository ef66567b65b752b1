"""Accuracy against coverage when the images that look unknown are left out, and bounds of it.

El-Yaniv & Wiener 2010, JMLR 11 (selective classification); Geifman & El-Yaniv 2017,
arXiv:1705.08500 (of deep networks).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold import wording
from hundredfold.calibration._calibration import Rejection
from hundredfold.errors import UsageError

LEAST = 20  # accepted images; of fewer, an accuracy is chance
_RULES = ("accuracy", "coverage")


@dataclass(frozen=True)
class Selective:
    """Accuracy of the accepted images by threshold, the least unknown images first.

    thresholds: (k,), ascending values of `unknown`; images at or below one are accepted.
    accepted:   (k,), number of images accepted at each.
    accuracy:   (k,), fraction of those that is predicted correctly.
    n:          number of all images.
    """

    thresholds: NDArray[np.float64]
    accepted: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    n: int

    @property
    def coverage(self) -> NDArray[np.float64]:
        """(k,), fraction of all images that is accepted."""
        return self.accepted / self.n


def selective(unknown: ArrayLike, correct: ArrayLike) -> Selective:
    """Return the curve of images with values of `unknown` (n,) and correctness (n,).

    Images with equal values are accepted together.
    """
    values, right = np.asarray(unknown, np.float64), np.asarray(correct, np.float64)
    order = np.argsort(values, kind="stable")
    values, right = values[order], right[order]
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    accepted = ends + 1
    return Selective(values[ends], accepted, np.cumsum(right)[ends] / accepted, len(values))


def rule_of(text: str) -> tuple[str, float]:
    """Return ("accuracy", 0.95) of "accuracy=0.95". Raises UsageError."""
    kind, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if kind.strip() not in _RULES or not 0 < value < 1:
        raise UsageError(
            f"--reject-at {text[:200]!r} is no rule",
            remedy="accuracy=0.95 or coverage=0.95, with a number between 0 and 1",
        )
    return kind.strip(), value


def rejection(rule: str, unknown: ArrayLike, correct: ArrayLike) -> Rejection:
    """Return the bound of `unknown` that a rule asks for on images (n,).

    "accuracy=0.95": the most images of which at least 95 % are predicted correctly.
    "coverage=0.95": the least unknown 95 % of the images.

    The bound lies halfway to the next image, so that rounding does not move it. Raises UsageError
    for another rule, and where no bound reaches the accuracy with at least 20 images.
    """
    kind, value = rule_of(rule)
    curve = selective(unknown, correct)
    if kind == "coverage":
        at = int(np.argmax(curve.accepted >= math.ceil(value * curve.n - 1e-9)))
    else:
        reached = np.flatnonzero((curve.accuracy >= value) & (curve.accepted >= LEAST))
        if not len(reached):
            raise _unreachable(curve, value)
        at = int(reached[-1])
    last = at + 1 == len(curve.thresholds)
    bound = curve.thresholds[at] if last else curve.thresholds[at : at + 2].mean()
    return Rejection(f"{kind}={value:g}", float(bound))


def _unreachable(curve: Selective, value: float) -> UsageError:
    enough = curve.accepted >= LEAST
    if not enough.any():
        return UsageError(
            f"an accuracy cannot be promised from {curve.n} validation images",
            found=f"it takes {LEAST}",
            remedy="train with more validation images",
        )
    best = float(curve.accuracy[enough].max())
    return UsageError(
        f"no bound reaches an accuracy of {wording.percent(value)} on the validation images",
        found=f"at most {wording.percent(best)}, of {LEAST} images or more",
        remedy=f"--reject-at accuracy={math.floor(100 * best) / 100:g}, or less",
    )
