"""The temperature of a run, from its validation logits."""

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.calibration._calibration import Calibration
from hundredfold.metrics.tables.temperature import temperature

LEAST = 30  # validation images


def scaled(logits: ArrayLike, labels: ArrayLike) -> Calibration:
    """Return the calibration whose temperature fits logits (n, classes) and labels (n,).

    The temperature stays at 1, with a reason, where it has no best value: with fewer than 30
    images, and where every image is predicted correctly, so that any lower one fits better.
    """
    values, truth = np.asarray(logits), np.asarray(labels)
    n = len(truth)
    reason = ""
    if n < LEAST:
        reason = f"{n} validation images are too few for a temperature: it takes {LEAST}"
    elif (values.argmax(axis=1) == truth).all():
        reason = f"all {n:,} validation images are predicted correctly, so no temperature fits best"
    if reason:
        return Calibration(n=n, reason=reason)
    return Calibration(temperature(values, truth), n)
