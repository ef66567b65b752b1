"""Horizontal mirroring, the most common augmentation of photographs."""

import torch

from hundredfold.augment._chance import uniform
from hundredfold.augment._check import within
from hundredfold.augment._geometry import Move, matrices


def flip(count: int, generator: torch.Generator, *, share: float = 0.5) -> Move:
    """Mirror a random share of the images left to right.

    share: probability of each image to be mirrored, in [0, 1].
    """
    within("flip", "share", share, 0, 1)
    sign = torch.where(uniform(count, 0, 1, generator) < share, -1.0, 1.0)
    return Move(matrices([[sign, 0.0, 0.0], [0.0, 1.0, 0.0]], count), fill=None, whole=True)
