"""How a run's logits are read: probabilities, the unknown-score, and bounds of both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

GAMMA = 0.1  # exponent of GEN
MOST = 100  # classes that count in GEN, the most probable ones


@dataclass(frozen=True)
class Rejection:
    """A bound of `unknown`. rule: what it was chosen for, such as "accuracy=0.95"."""

    rule: str
    threshold: float

    def rejects(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Return (n,), whether images with these values of `unknown` (n,) are of no class."""
        return np.asarray(np.asarray(values, np.float64) > self.threshold)


@dataclass(frozen=True)
class LabelSets:
    """Label sets. coverage: how often the true class is in its set; threshold: of probabilities."""

    coverage: float
    threshold: float

    def members(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return (n, classes), which classes are in the set of each image.

        Those with at least the threshold's probability, and always the most probable one.
        """
        values = np.asarray(probabilities, np.float64)
        inside = values >= self.threshold
        inside[np.arange(len(values)), values.argmax(axis=1)] = True
        return np.asarray(inside)


@dataclass(frozen=True)
class Calibration:
    """How a run's logits are read.

    n:      validation images that the temperature was fitted on; 0 if it was not.
    reason: why the temperature stays at 1; "" where it was fitted, or there was nothing to fit on.
    """

    temperature: float = 1.0
    n: int = 0
    reject: Rejection | None = None
    sets: LabelSets | None = None
    reason: str = ""

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float32]:
        """Return probabilities (n, classes) of logits (n, classes)."""
        scaled = np.asarray(logits, np.float64) / self.temperature
        with np.errstate(over="ignore", under="ignore"):  # an overflow is a probability of 0
            powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def unknown(probabilities: ArrayLike) -> NDArray[np.float32]:
    """Return (n,) in [0, 1]: how unlike the training images an image is, by its probabilities.

    probabilities: (n, classes). The sum of p^γ (1 - p)^γ over the most probable classes, over the
    largest value that it can have: 0 where one class is certain, 1 where all are as probable. Of
    more than 100 classes, those that are left out of the sum lower the latter.
    """
    values = np.asarray(probabilities, np.float64)
    count = min(MOST, values.shape[1])
    top = np.sort(values, axis=1)[:, -count:].clip(0, 1)
    largest = count * (1 / count) ** GAMMA * (1 - 1 / count) ** GAMMA if count > 1 else 1.0
    entropy = (top**GAMMA * (1 - top) ** GAMMA).sum(axis=1)
    return np.asarray((entropy / largest).clip(0, 1), np.float32)
