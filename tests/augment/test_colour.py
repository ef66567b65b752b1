"""Colours against Pillow's ImageEnhance and ImageOps."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from hundredfold.augment import _colour

FACTORS = [0.01, 0.4, 1.0, 1.3, 1.99]


def photographs(count: int = 5, size: int = 24) -> torch.Tensor:
    generator = np.random.default_rng(7)
    small = generator.integers(20, 230, (count, 4, 4, 3), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(s).resize((size, size), 3)) for s in small]
    return torch.from_numpy(np.stack(large)).permute(0, 3, 1, 2)


def differences(result: torch.Tensor, change) -> np.ndarray:
    """Return |result - Pillow's| for each image; `change` takes an image and its index."""
    source = photographs().permute(0, 2, 3, 1).contiguous().numpy()
    theirs = [np.asarray(change(Image.fromarray(s), k)) for k, s in enumerate(source)]
    return np.abs(np.stack(theirs).astype(int) - result.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (_colour.brightness, ImageEnhance.Brightness),
        (_colour.colour, ImageEnhance.Color),
        (_colour.contrast, ImageEnhance.Contrast),
        (_colour.sharpness, ImageEnhance.Sharpness),
    ],
)
def test_enhancements_are_pillows(ours, theirs):
    result = ours(photographs(), torch.tensor(FACTORS))
    difference = differences(result, lambda image, k: theirs(image).enhance(FACTORS[k]))
    assert difference.max() <= 2
    assert difference.mean() < 1


def test_posterize_is_pillows():
    bits = [2, 3, 4, 7, 8]
    result = _colour.posterize(photographs(), torch.tensor(bits).float())
    assert differences(result, lambda image, k: ImageOps.posterize(image, bits[k])).max() == 0


def test_solarize_is_pillows():
    threshold = [0.0, 10.0, 128.0, 200.0, 256.0]
    result = _colour.solarize(photographs(), torch.tensor(threshold))
    assert differences(result, lambda image, k: ImageOps.solarize(image, threshold[k])).max() == 0


def test_autocontrast_is_pillows():
    result = _colour.autocontrast(photographs())
    assert differences(result, lambda image, _: ImageOps.autocontrast(image)).max() <= 1


def test_equalize_is_pillows():
    result = _colour.equalize(photographs())
    assert differences(result, lambda image, _: ImageOps.equalize(image)).max() == 0


@pytest.mark.parametrize("change", [_colour.autocontrast, _colour.equalize])
def test_an_image_of_one_colour_stays(change):
    image = torch.tensor([3, 128, 255], dtype=torch.uint8)[None, :, None, None].expand(2, 3, 32, 32)
    assert torch.equal(change(image), image)


@pytest.mark.parametrize(
    "change", [_colour.brightness, _colour.colour, _colour.contrast, _colour.sharpness]
)
def test_a_factor_of_one_changes_nothing(change):
    assert torch.equal(change(photographs(), torch.ones(5)), photographs())
