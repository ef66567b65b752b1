"""Horizontal mirroring in every other epoch (Jordan 2024, arXiv:2404.00498, section 3.6)."""

import torch
from torch import Tensor

from hundredfold.augment._geometry import Move, matrices


def alternating_flip(count: int, epoch: int, keys: Tensor) -> Move:
    """Mirror each image where the sum of its key and the epoch is odd.

    epoch: from 0. keys: int64 (count,). Two epochs show each image both ways; a random flip
    shows half of the images the same way twice.
    """
    sign = torch.where((keys + epoch) % 2 == 0, 1.0, -1.0)
    return Move(matrices([[sign, 0.0, 0.0], [0.0, 1.0, 0.0]], count), fill=None, whole=True)
