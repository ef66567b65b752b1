"""Area under the ROC curve of two classes."""

from numpy.typing import ArrayLike

from hundredfold.errors import DataError
from hundredfold.metrics._auroc import auroc
from hundredfold.metrics._logits import checked
from hundredfold.metrics._score import Score

ORDER = 35
TITLE = "area under the ROC curve"
FORMAT = "percent"
BEST = 1
RANGE = (0, 1)
CLASSES = 2


def auc(logits: ArrayLike, labels: ArrayLike) -> Score:
    """Return how often an image of one class has the higher odds of it than one of the other.

    0.5 is chance; ties count half. It is the same for either class, and does not depend on a
    threshold. The interval is that of `auroc`. Where all images are of one class there is nothing
    to compare: the value is 0.5, and the interval [0, 1]. Raises DataError for other than two
    classes.
    """
    scored, truth = checked(logits, labels)
    if scored.shape[1] != CLASSES:
        raise DataError(
            "the area under the ROC curve is of two classes",
            found=f"logits of {scored.shape[1]} classes",
            remedy="another metric, such as balanced_accuracy",
        )
    odds = scored[:, 1] - scored[:, 0]
    if truth.min() == truth.max():
        return Score(0.5, 0.0, 1.0, n=len(truth))
    return auroc(odds[truth == 1], odds[truth == 0])
