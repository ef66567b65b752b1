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

    Guessing among c classes costs log(c): 4.605 for 100. The interval is the normal one of
    the sample deviation; with one image it is [0, infinity], and where
    only a handful of images are wrong it is too narrow.
    """
    return mean_score(cross_entropy(*checked(logits, labels)))
