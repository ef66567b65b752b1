"""Which class is taken for which."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.metrics._logits import checked, counts


def confusion(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns): (classes, classes)."""
    scored, truth = checked(logits, labels)
    return counts(scored.argmax(axis=1), truth, scored.shape[1])
