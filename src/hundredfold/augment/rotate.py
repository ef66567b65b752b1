"""Random rotation about the centre, as Keras' RandomRotation, but in degrees."""

import math
from typing import Annotated, Literal

import torch

from hundredfold.augment._chance import uniform
from hundredfold.augment._geometry import Move, matrices
from hundredfold.size import Size, SizeLike
from hundredfold.spec import Range


def rotate(
    count: int,
    size: SizeLike,
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
    height, width = Size.of(size)
    right, down = -sine * (height / width), sine * (width / height)
    return Move(matrices([[cosine, right, 0.0], [down, cosine, 0.0]], count), fill)
