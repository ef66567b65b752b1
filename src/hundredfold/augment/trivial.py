"""TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158), the wide space of its table 1.

operation                             strength
identity, autocontrast, equalize      --
shear across, shear down              -0.99 .. 0.99
shift across, shift down              -32 .. 32 pixels
rotate                                -135 .. 135 degrees
brightness, colour, contrast, sharpness   factor 0.01 .. 1.99
posterize                             8 .. 2 bits
solarize                              threshold 256 .. 0
"""

import math

import torch
from torch import Tensor

from hundredfold.augment import _colour
from hundredfold.augment._chance import integers
from hundredfold.augment._geometry import Move, matrices, move_images
from hundredfold.size import Size

_MOVES = ("shear across", "shear down", "shift across", "shift down", "rotate")
_FACTORS = {
    "brightness": _colour.brightness,
    "colour": _colour.colour,
    "contrast": _colour.contrast,
    "sharpness": _colour.sharpness,
}
_WITHOUT_STRENGTH = {"autocontrast": _colour.autocontrast, "equalize": _colour.equalize}
OPERATIONS = ("identity", *_MOVES, *_FACTORS, "posterize", "solarize", *_WITHOUT_STRENGTH)
_LEVELS = 31


def trivial(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply one of 14 operations to each image, at one of 31 strengths, both drawn at random.

    It has no options, as in the paper. Moves interpolate bilinearly, where the paper's code
    takes the nearest pixel. Pixels from outside the image are black.
    """
    count = len(images)
    chosen = integers(count, len(OPERATIONS), generator)
    level = integers(count, _LEVELS, generator) / (_LEVELS - 1)
    sign = 1.0 - 2.0 * integers(count, 2, generator)
    result = images.clone(memory_format=torch.channels_last)
    chosen, level, sign = (x.to(images.device) for x in (chosen, level, sign))
    for number, operation in enumerate(OPERATIONS):
        rows = (chosen == number).nonzero()[:, 0]
        if operation != "identity" and len(rows):
            result[rows] = _apply(operation, images[rows], level[rows], sign[rows])
    return result, labels


def _apply(operation: str, images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Apply one operation to all images; level in [0, 1], sign -1 or 1, both (batch,)."""
    if operation in _MOVES:
        return move_images(images, _move(operation, level * sign, Size(*images.shape[2:])))
    if operation in _FACTORS:
        return _FACTORS[operation](images, 1 + 0.99 * level * sign)
    if operation == "posterize":
        return _colour.posterize(images, 8 - (6 * level).round())
    if operation == "solarize":
        return _colour.solarize(images, 256 * (1 - level))
    return _WITHOUT_STRENGTH[operation](images)


def _move(operation: str, signed: Tensor, size: Size) -> Move:
    tall = size.height / size.width
    across, down = (signed * 32 * 2 / side for side in (size.width, size.height))
    angle = signed * math.radians(135)
    sine, cosine = angle.sin(), angle.cos()
    rows: dict[str, list[list[Tensor | float]]] = {
        "shear across": [[1.0, 0.99 * signed * tall, 0.0], [0.0, 1.0, 0.0]],
        "shear down": [[1.0, 0.0, 0.0], [0.99 * signed / tall, 1.0, 0.0]],
        "shift across": [[1.0, 0.0, across], [0.0, 1.0, 0.0]],
        "shift down": [[1.0, 0.0, 0.0], [0.0, 1.0, down]],
        "rotate": [[cosine, -sine * tall, 0.0], [sine / tall, cosine, 0.0]],
    }
    return Move(matrices(rows[operation], len(signed)), "zero")
