"""Recall averaged over classes with equal weight (Brodersen et al. 2010, ICPR)."""

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.metrics._logits import checked
from hundredfold.metrics._score import Score, class_mean_score

ORDER = 20
TITLE = "balanced accuracy"
FORMAT = "percent"
BEST = 1
RANGE = (0, 1)


def balanced_accuracy(logits: ArrayLike, labels: ArrayLike) -> Score:
    """Return the mean over classes of recall, in [0, 1].

    Classes without images are left out. With equally many images per class it equals top-1
    accuracy. The interval is Wilson's with the variance of the mean recall.
    """
    scored, truth = checked(logits, labels)
    correct = (scored.argmax(axis=1) == truth).astype(np.float64)
    support = np.bincount(truth, minlength=scored.shape[1])
    recall = np.bincount(truth, correct, minlength=len(support)) / np.maximum(support, 1)
    classes = np.count_nonzero(support)
    influence = (correct - recall[truth]) / support[truth] / classes
    return class_mean_score(float(recall.sum() / classes), influence, support[support > 0])
