"""TrivialAugment's space: each operation at its extremes, and how often each is drawn."""

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.augment.trivial import OPERATIONS, _apply, trivial


def photographs(count: int, size: int = 32) -> torch.Tensor:
    generator = np.random.default_rng(7)
    small = generator.integers(20, 230, (count, 4, 4, 3), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(s).resize((size, size), 3)) for s in small]
    return torch.from_numpy(np.stack(large)).permute(0, 3, 1, 2)


def full(operation: str, images: torch.Tensor, sign: float) -> torch.Tensor:
    return _apply(operation, images, torch.ones(len(images)), sign * torch.ones(len(images)))


def test_there_are_the_fourteen_operations_of_the_paper():
    assert len(set(OPERATIONS)) == 14


@pytest.mark.parametrize(
    "operation", sorted(set(OPERATIONS) - {"identity", "autocontrast", "equalize"})
)
def test_level_zero_changes_nothing(operation):
    images = photographs(4)
    result = _apply(operation, images, torch.zeros(4), torch.ones(4)).int()
    assert (result - images.int()).abs().max() <= 1


@pytest.mark.parametrize("operation", ["shift across", "shift down"])
def test_the_largest_shift_leaves_nothing_of_a_small_image(operation):
    assert full(operation, photographs(2), 1.0).max() <= 1


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_turn_is_three_eighths(sign):
    images = photographs(2)
    twice = full("rotate", full("rotate", images, sign), sign)
    expected = images.rot90(int(sign) * 3, (2, 3))
    middle = slice(10, 22)
    difference = (twice.int() - expected.int())[..., middle, middle].abs().float()
    opposite = (twice.int() - expected.rot90(2, (2, 3)).int())[..., middle, middle].abs().float()
    assert difference.mean() < 6 < opposite.mean()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_shear_is_pillows(sign):
    images = photographs(2)
    coefficients = (1, 0.99 * sign, -0.99 * sign * 16, 0, 1, 0)
    for image, result in zip(images, full("shear across", images, sign), strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
        theirs = picture.transform((32, 32), Image.Transform.AFFINE, coefficients, 2)
        difference = np.abs(np.asarray(theirs).astype(int) - result.permute(1, 2, 0).numpy())
        assert np.median(difference) <= 1


def test_brightness_reaches_almost_black():
    assert full("brightness", photographs(2), -1.0).max() <= 3


def test_posterize_keeps_two_bits_at_least():
    assert len(full("posterize", photographs(8), 1.0).unique()) == 4


def test_solarize_inverts_everything_at_most():
    images = photographs(2)
    assert torch.equal(full("solarize", images, 1.0), 255 - images)


def test_images_stay_as_often_as_the_draw_predicts():
    images = photographs(1).expand(3000, -1, -1, -1)
    changed, _ = trivial(images, torch.zeros(3000, 2), torch.Generator().manual_seed(0))
    same = (changed == images).flatten(1).all(1).float().mean()
    # identity, and level zero of the eleven operations with a strength
    assert abs(same - (1 + 11 / 31) / 14) < 0.03
