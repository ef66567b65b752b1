"""F1 averaged over classes with equal weight."""

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.metrics._logits import checked, counts, f1
from hundredfold.metrics._score import Score, class_mean_score

ORDER = 30
TITLE = "macro F1"
FORMAT = "percent"
BEST = 1
RANGE = (0, 1)


def macro_f1(logits: ArrayLike, labels: ArrayLike) -> Score:
    """Return the mean over classes of F1 = 2 correct / (images + predictions).

    Classes with neither images nor predictions are left out; a class without a correct prediction
    counts as 0. The interval is Wilson's with the delta method's variance (Takahashi et al. 2022,
    Applied Intelligence 52, 4961-4972), for a fixed number of images per class.
    """
    scored, truth = checked(logits, labels)
    predicted = scored.argmax(axis=1)
    table = counts(predicted, truth, scored.shape[1])
    support, total = table.sum(axis=1), table.sum(axis=0) + table.sum(axis=1)
    each, classes = f1(table), np.count_nonzero(total)
    value = float(each.sum() / classes)
    # One more prediction of class c adds -F1_c / total_c to F1_c, and 2 / total_c if correct.
    change = (2.0 * (predicted == truth) - each[predicted]) / total[predicted]
    centre = np.bincount(truth, change, minlength=len(support)) / np.maximum(support, 1)
    return class_mean_score(value, (change - centre[truth]) / classes, support[support > 0])
