"""Random rotation about the centre, as Keras' RandomRotation, but in degrees."""

import math
from typing import Annotated, Literal

import torch

from hundredfold.augment._chance import uniform
from hundredfold.augment._geometry import Move, matrices
from hundredfold.spec import Range


def rotate(
    count: int,
    generator: torch.Generator,
    *,
    degrees: Annotated[float, Range(0, 180)] = 15.0,
    fill: Literal["reflect", "zero"] = "reflect",
) -> Move:
    """Rotate each image about its centre by a random angle.

    degrees: the largest angle, in [0, 180]; uniform in [-degrees, degrees].
    fill: pixels from outside the image: the mirrored image, or black.
    """
    angle = uniform(count, -math.radians(degrees), math.radians(degrees), generator)
    sine, cosine = angle.sin(), angle.cos()
    return Move(matrices([[cosine, -sine, 0.0], [sine, cosine, 0.0]], count), fill)
