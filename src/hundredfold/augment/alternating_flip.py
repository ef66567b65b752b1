"""Horizontal mirroring in every other epoch (Jordan 2024, arXiv:2404.00498, section 3.6)."""

import torch
from torch import Tensor

from hundredfold.augment._geometry import Move, matrices


def alternating_flip(count: int, epoch: int, keys: Tensor) -> Move:
    """Mirror half of the images at first, and then each in every other epoch.

    Two epochs show both sides of every image, where a random flip shows a half of them the
    same side twice. Which half begins mirrored, the images' keys decide.
    """
    sign = torch.where((keys + epoch) % 2 == 0, 1.0, -1.0)
    return Move(matrices([[sign, 0.0, 0.0], [0.0, 1.0, 0.0]], count), fill=None, whole=True)
