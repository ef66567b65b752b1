"""Padding and a random crop back to size, the usual augmentation of CIFAR.

He et al. 2015 (arXiv:1512.03385, section 4.2): 4 pixels of zeros on each side, then a
random 32x32 crop.
"""

from typing import Annotated, Literal

import torch

from hundredfold.augment._geometry import Move, matrices
from hundredfold.size import Size, SizeLike
from hundredfold.spec import Range


def pad_crop(
    count: int,
    size: SizeLike,
    generator: torch.Generator,
    *,
    pixels: Annotated[int, Range(0, 256)] = 4,
    mode: Literal["zero", "reflect"] = "zero",
) -> Move:
    """Shift each image by up to `pixels` whole pixels: pad each side, then crop at random.

    pixels: padding on each side, in [0, 256]; all (2 * pixels + 1)^2 crops are equally likely.
    mode: the padding: black, or the mirrored image.
    """
    offsets = torch.randint(
        -pixels, pixels + 1, (count, 2), generator=generator, device=generator.device
    )
    across, down = offsets.unbind(1)
    height, width = Size.of(size)
    shift = across * (2 / width), down * (2 / height)
    matrix = matrices([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]], count)
    return Move(matrix, mode, whole=True)
