"""Fraction of images whose superclass is predicted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.metrics._logits import checked, checked_superclasses, softmax
from hundredfold.metrics._score import Score, fraction_score

ORDER = 40
TITLE = "superclass accuracy"
FORMAT = "percent"
BEST = 1
RANGE = (0, 1)


def coarse_top_1(
    logits: ArrayLike, labels: ArrayLike, superclass_of: Sequence[int], *, summed: bool = False
) -> Score:
    """Return the fraction of images whose predicted superclass is that of their label.

    summed: False takes the superclass of the likeliest class. True sums the probabilities within
    each superclass and takes the likeliest superclass.
    superclass_of: (classes,) the superclass of each class. The interval is Wilson's.
    """
    scored, truth = checked(logits, labels)
    group = checked_superclasses(superclass_of, scored.shape[1])
    if not summed:
        return fraction_score(group[scored.argmax(axis=1)] == group[truth])
    belongs = (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
    return fraction_score((softmax(scored) @ belongs).argmax(axis=1) == group[truth])
