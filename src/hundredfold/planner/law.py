"""How accuracy grows with the time of a training.

logit(accuracy) grows with the logarithm of time. A network on stored images grows steeply in the
first passes, and slowly afterwards. From scratch, a longer training has a larger network, so
there is one slope: between 3 s and 15 min it was 0.3 on blood cells, 10 classes of CIFAR-100 and
the whole of it, and 0.1 on groceries. Slopes are rough: expectations closer than `_INEXACT` count
as equal.
"""

import math
from typing import Literal, NamedTuple

Kind = Literal["head", "upper", "whole", "scratch"]

IMAGES = 0.2  # exponent of the number of images, in what features are worth for a head
SIZE = 0.5  # exponent of the size in pixels up to the images' detail, in the same
UPPER_GAIN = 0.45  # in logit(accuracy) of training the last groups over that of their head
UPPER_PASSES = 6.0  # over the images at which that gain is reached
_EARLY = {"head": 0.0, "upper": 0.2, "whole": 0.25, "scratch": 0.27}  # slopes in the first passes
_LATE = {"head": 0.0, "upper": 0.1, "whole": 0.2, "scratch": 0.27}  # slopes afterwards
_INEXACT = 0.5  # in logit(accuracy)
_MATURE = 25.0  # passes over the images that are called the first


class Score(NamedTuple):
    """Accuracy on so many validation images, after seconds of training and passes over images."""

    accuracy: float
    images: int
    seconds: float
    passes: float = 0.0


def predicted(kind: Kind, score: Score, seconds: float) -> float:
    """Return the accuracy that is expected after `seconds` of the training that was scored."""
    if score.seconds <= 0:
        return score.accuracy
    longer = max(1.0, seconds / score.seconds)
    early = min(longer, max(1.0, _MATURE / max(score.passes, 1e-9)))
    growth = _EARLY[kind] * math.log(early) + _LATE[kind] * math.log(longer / early)
    return max(score.accuracy, _accuracy(_logit(score) + growth))


def of_upper_groups(head: Score, passes: float) -> float:
    """Return the accuracy that is expected of the last groups, from that of the head alone.

    passes: over the images, that the time allows.
    """
    return _accuracy(_logit(head) + UPPER_GAIN * min(1.0, passes / UPPER_PASSES))


def are_close(one: float, other: float) -> bool:
    """Return whether two expected accuracies are closer than the law is exact."""
    one, other = (min(max(a, 1e-3), 1 - 1e-3) for a in (one, other))
    return abs(math.log(one / (1 - one)) - math.log(other / (1 - other))) < _INEXACT


def _logit(score: Score) -> float:
    """Return log(a / (1 - a)); an accuracy of 0 or 1 counts as half an image less."""
    least = 0.5 / max(score.images, 1)
    accuracy = min(max(score.accuracy, least), 1 - least)
    return math.log(accuracy / (1 - accuracy))


def _accuracy(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
