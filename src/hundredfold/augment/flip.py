"""Horizontal mirroring, the most common augmentation of photographs."""

import torch

from hundredfold.augment._chance import uniform
from hundredfold.augment._geometry import Move, matrices
from hundredfold.spec import Fraction


def flip(count: int, generator: torch.Generator, *, probability: Fraction = 0.5) -> Move:
    """Mirror each image left to right with a probability.

    probability: of each image to be mirrored, in [0, 1].
    """
    sign = torch.where(uniform(count, 0, 1, generator) < probability, -1.0, 1.0)
    return Move(matrices([[sign, 0.0, 0.0], [0.0, 1.0, 0.0]], count), fill=None, whole=True)
