"""How the error of a training falls with its time.

error(t) = error(s) * (t / s) ** -exponent, for each kind of training. The exponents were fitted to
trainings of different lengths on the sets in docs/speed.md, which states the error of the law.
"""

from typing import Literal

Kind = Literal["head", "upper", "whole", "scratch"]

EXPONENTS: dict[Kind, float] = {"head": 0.0, "upper": 0.10, "whole": 0.25, "scratch": 0.35}
IMAGES = 0.2  # exponent of the number of images, for a head on features
SIZE = 0.5  # exponent of the size in pixels up to the images' detail, for a head on features
_LEAST = 0.5  # of an image: the error of a validation part without a mistake


def predicted(kind: Kind, error: float, seconds: float, later: float, images: int) -> float:
    """Return the error after `later` seconds of one that was measured after `seconds`.

    images: number of validation images, which bounds how small an error can be told.
    """
    error = max(error, _LEAST / max(images, 1))
    longer = max(later / max(seconds, 1e-9), 1e-9)
    return float(error * longer ** -EXPONENTS[kind])
