"""Corruptions of images, against their definitions in Hendrycks & Dietterich 2019."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from hundredfold.robustness import CORRUPTIONS, STRENGTHS, corrupted

LEVELS = range(1, STRENGTHS + 1)
ROWS = np.arange(6)


def _images(height: int = 32, width: int = 32, n: int = 6) -> np.ndarray:
    """Return smooth coloured pictures with fine detail."""
    chance = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (3 + k) + y / (5 + k))[..., None] * chance.uniform(20, 70, 3)
             for k in range(n)]  # fmt: skip
    noise = chance.normal(0, 12, (n, height, width, 3))
    return (120 + np.stack(waves) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("size", [(32, 32), (20, 45), (1, 1), (130, 129)], ids=str)
def test_shape_and_type_stay_and_the_given_images_too(name: str, size: tuple[int, int]) -> None:
    images = _images(*size, n=2)
    before = images.copy()
    for strength in (1, 5):
        found = corrupted(name, images, ROWS[:2], strength)
        assert (found.shape, found.dtype) == (images.shape, np.uint8)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_images_have_no_surprise(name: str, value: int) -> None:
    images = np.full((1, 16, 16, 3), value, np.uint8)
    found = corrupted(name, images, ROWS[:1], 3)
    if name in ("blur", "jpeg", "contrast", "pixelation"):
        assert np.abs(found.astype(int) - value).max() <= 1, "an even image stays"
    elif name == "fog" and value == 0:
        assert not found.any(), "fog is as bright as the brightest pixel"
    elif name == "brightness":
        assert (found == (255 if value else round(0.15 * 255))).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_image_is_changed_by_its_row_alone(name: str) -> None:
    images = _images()
    together = corrupted(name, images, ROWS, 4)
    np.testing.assert_array_equal(corrupted(name, images, ROWS, 4), together)
    order = [3, 0, 5]
    np.testing.assert_array_equal(corrupted(name, images[order], ROWS[order], 4), together[order])
    if name in ("noise", "fog", "occlusion"):
        assert (corrupted(name, images, ROWS + 100, 4) != together).any(), "another row, chance"
        one = np.repeat(images[:1], 2, axis=0)
        assert (np.diff(corrupted(name, one, ROWS[:2], 4).astype(int), axis=0) != 0).any()


@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_strength_changes_images_more(name: str, size: int) -> None:
    """Mean distance of undisturbed and corrupted images. Fog of ImageNet-C is of equal density at
    strengths 3 and 4, so it may shrink there by a tenth."""
    images = _images(size, size)
    distances = [
        np.abs(corrupted(name, images, ROWS, level).astype(float) - images).mean()
        for level in LEVELS
    ]
    assert distances[0] > 0
    least = 0.9 if name == "fog" else 1.0
    assert all(after >= least * before for before, after in pairwise(distances))
    assert distances[-1] > 1.05 * distances[0]


@pytest.mark.parametrize(
    ("size", "level", "deviation"), [(64, 1, 0.04), (64, 5, 0.10), (128, 1, 0.08), (128, 5, 0.38)]
)
def test_noise_has_the_deviation_of_the_paper(size: int, level: int, deviation: float) -> None:
    grey = np.full((4, size, size, 3), 127, np.uint8)
    found = corrupted("noise", grey, ROWS[:4], level) / 255
    inside = np.sort(np.abs(found - 127 / 255).ravel())  # clipping leaves the inner half alone
    assert np.median(inside) == pytest.approx(0.6745 * deviation, rel=0.05)


@pytest.mark.parametrize(
    ("size", "level", "deviation"), [(32, 1, 0.4), (32, 5, 1.0), (128, 3, 3.0)]
)
def test_blur_is_scipys_gaussian_with_repeated_edges(
    size: int, level: int, deviation: float
) -> None:
    images = _images(size, size, n=1)
    wanted = ndimage.gaussian_filter(images[0] / 255, (deviation, deviation, 0), mode="nearest")
    found = corrupted("blur", images, ROWS[:1], level)[0]
    assert np.abs(found / 255 - wanted).max() <= 0.5001 / 255


@pytest.mark.parametrize(("size", "qualities"), [(32, (80, 65, 58, 50, 40)),
                                                 (128, (25, 18, 15, 10, 7))])  # fmt: skip
def test_jpeg_is_what_pillow_decodes(size: int, qualities: tuple[int, ...]) -> None:
    images = _images(size, size, n=1)
    for level, quality in zip(LEVELS, qualities, strict=True):
        stream = io.BytesIO()
        Image.fromarray(images[0]).save(stream, "JPEG", quality=quality)
        wanted = np.asarray(Image.open(stream))
        np.testing.assert_array_equal(corrupted("jpeg", images, ROWS[:1], level)[0], wanted)


def test_contrast_shrinks_the_distance_to_each_channels_mean() -> None:
    images = _images(n=1)
    mean = images[0].mean(axis=(0, 1))
    wanted = ((images[0] - mean) * 0.15 + mean).clip(0, 255)
    assert np.abs(corrupted("contrast", images, ROWS[:1], 5)[0] - wanted).max() <= 0.5001


def test_brightness_adds_to_the_value_of_a_colour_and_keeps_its_hue() -> None:
    from colorsys import hsv_to_rgb, rgb_to_hsv

    images = _images(n=1)
    found = corrupted("brightness", images, ROWS[:1], 4)[0]
    for y, x in ((0, 0), (5, 9), (31, 17)):
        hue, saturation, value = rgb_to_hsv(*(images[0, y, x] / 255).tolist())
        wanted = np.array(hsv_to_rgb(hue, saturation, min(value + 0.2, 1.0))) * 255
        np.testing.assert_allclose(found[y, x], wanted, atol=0.51)


def test_fog_is_at_most_as_bright_as_the_image_and_changes_it_smoothly() -> None:
    image = np.full((1, 64, 64, 3), 100, np.uint8)
    image[0, 0, 0] = 200
    found = corrupted("fog", image, ROWS[:1], 3)[0].astype(int)
    assert found.max() <= 200
    assert (found[..., 0] == found[..., 1]).all(), "the haze is grey"
    steps = np.abs(np.diff(found[8:, 8:, 0], axis=1))
    assert steps.mean() < np.ptp(found) / 4


def test_pixelation_makes_blocks_of_equal_pixels() -> None:
    images = _images(128, 128, n=1)
    small = Image.fromarray(images[0]).resize((32, 32), Image.Resampling.BOX)
    wanted = np.asarray(small).repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(corrupted("pixelation", images, ROWS[:1], 5)[0], wanted)


@pytest.mark.parametrize(("level", "area"), [(1, 0.05), (2, 0.1), (3, 0.2), (4, 0.3), (5, 0.4)])
def test_occlusion_covers_the_stated_part_with_grey(level: int, area: float) -> None:
    images = np.zeros((6, 100, 60, 3), np.uint8)
    found = corrupted("occlusion", images, ROWS, level)
    assert set(np.unique(found)) == {0, 127}
    np.testing.assert_allclose((found > 0).mean(axis=(1, 2, 3)), area, rtol=0.05)
    corners = {tuple(np.argwhere(image[..., 0])[0]) for image in found}
    assert len(corners) > 1, "its place is drawn"
