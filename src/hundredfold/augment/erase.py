"""Random erasing (Zhong et al. 2017, arXiv:1708.04896).

The defaults are the paper's for CIFAR (section 5.1): half of the images, 2 to 40 % of the
area, aspects from 0.3 to 1 / 0.3, random pixels.
"""

import math
from typing import Annotated

import torch
from torch import Tensor

from hundredfold.augment._boxes import boxes
from hundredfold.augment._chance import uniform
from hundredfold.errors import UsageError
from hundredfold.spec import Fraction, Range


def erase(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    probability: Fraction = 0.5,
    low: Fraction = 0.02,
    high: Fraction = 0.4,
    aspect: Annotated[float, Range(0.01, 1)] = 0.3,
) -> tuple[Tensor, Tensor]:
    """Replace a rectangle of each image by random pixels, with a probability.

    probability: of each image to be erased, in [0, 1].
    low, high: bounds of the rectangle's fraction of the area, in [0, 1]; uniform between them.
    aspect: in [0.01, 1]; height / width is log-uniform between aspect and 1 / aspect.
        Sides longer than the image are cut to it.

    Raises UsageError for low > high.
    """
    if low > high:
        raise UsageError(
            f"erase(low={low!r}, high={high!r}) is an empty range",
            remedy=f"erase(low={high!r}, high={low!r})",
        )
    count, _, rows, columns = images.shape
    chosen = uniform(count, 0, 1, generator) < probability
    area = uniform(count, low, high, generator) * rows * columns * chosen
    shape = uniform(count, math.log(aspect), -math.log(aspect), generator).exp()
    height = (area * shape).sqrt().round().clamp_(max=rows)
    width = (area / shape).sqrt().round().clamp_(max=columns)
    top = (uniform(count, 0, 1, generator) * (rows - height + 1)).floor()
    left = (uniform(count, 0, 1, generator) * (columns - width + 1)).floor()
    noise = torch.randint(
        256, (count, rows, columns, 3), generator=generator, device=generator.device
    )
    noise = noise.to(images.device, torch.uint8).permute(0, 3, 1, 2)
    return torch.where(boxes(left, top, width, height, images), noise, images), labels
