"""Mean cross-entropy."""

from numpy.typing import ArrayLike

from hundredfold.metrics._logits import checked, cross_entropy
from hundredfold.metrics._score import Score, mean_score

ORDER = 50
TITLE = "loss"
FORMAT = "number"
BEST = 0
RANGE = (0, None)


def loss(logits: ArrayLike, labels: ArrayLike) -> Score:
    """Return the mean cross-entropy in nats, from 0 to infinity, computed in float64.

    A uniform prediction over c classes has the loss log(c): 4.605 for 100. The interval is the
    normal one. For one image it is [0, infinity]; where few images are wrong it is too narrow.
    """
    return mean_score(cross_entropy(*checked(logits, labels)))
