"""Cutout (DeVries & Taylor 2017, arXiv:1708.04552).

The paper's sizes at 32x32 are 16 for CIFAR-10 and 8 for CIFAR-100.
"""

from typing import Annotated

import torch
from torch import Tensor

from hundredfold.augment._boxes import boxes
from hundredfold.augment._chance import integers, uniform
from hundredfold.spec import Fraction, Range


def cutout(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    size: Annotated[int, Range(0, 1024)] = 8,
    probability: Fraction = 1.0,
    fill: Annotated[int, Range(0, 255)] = 128,
) -> tuple[Tensor, Tensor]:
    """Cover a square of each image with grey.

    size: side of the square in pixels, in [0, 1024]. The centre is uniform over the image, and
        the square is cut at the edges, as in the paper.
    probability: of each image to be covered, in [0, 1].
    fill: the grey value, in [0, 255]; the paper fills with the mean, which is near 128.
    """
    count, _, height, width = images.shape
    left = integers(count, width, generator) - size // 2
    top = integers(count, height, generator) - size // 2
    side = torch.where(uniform(count, 0, 1, generator) < probability, size, 0)
    grey = torch.tensor(fill, dtype=torch.uint8, device=images.device)
    return torch.where(boxes(left, top, side, side, images), grey, images), labels
