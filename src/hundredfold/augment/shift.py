"""Random shifts by fractions of the image, as Keras' RandomTranslation."""

from typing import Literal

import torch

from hundredfold.augment._chance import uniform
from hundredfold.augment._geometry import Move, matrices
from hundredfold.spec import Fraction


def shift(
    count: int,
    generator: torch.Generator,
    *,
    horizontal: Fraction = 0.1,
    vertical: Fraction = 0.1,
    fill: Literal["reflect", "zero"] = "reflect",
) -> Move:
    """Shift each image by a random fraction of its size, to either side.

    horizontal, vertical: the largest shift as a fraction of width and height, in [0, 1];
        uniform in [-largest, largest], not rounded to whole pixels.
    fill: pixels from outside the image: the mirrored image, or black.
    """
    across = uniform(count, -2 * horizontal, 2 * horizontal, generator)
    down = uniform(count, -2 * vertical, 2 * vertical, generator)
    return Move(matrices([[1.0, 0.0, across], [0.0, 1.0, down]], count), fill)
