"""Corruptions of images at five strengths (Hendrycks & Dietterich 2019, arXiv:1903.12261).

Definitions and parameters are those of CIFAR-10-C for images with a side below 128 pixels, and of
ImageNet-C for larger ones: Gaussian noise, Gaussian blur, JPEG, contrast, brightness, fog and
pixelation. Occlusion is not among theirs: a grey rectangle over a part of the image. Each image
is changed by its row, so the same images are the same in every run and on every machine.
"""

import io
import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Images = NDArray[np.uint8]
_Pixels = NDArray[np.float64]

STRENGTHS = 5
SMALL = 128  # pixels: images with a shorter side take the parameters of CIFAR-10-C
_GREY = 127

_NOISE = ((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38))  # deviation, of 1
_BLUR = ((0.4, 0.6, 0.7, 0.8, 1.0), (1.0, 2.0, 3.0, 4.0, 6.0))  # deviation in pixels
_JPEG = ((80, 65, 58, 50, 40), (25, 18, 15, 10, 7))  # quality
_CONTRAST = ((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05))  # factor
_BRIGHTNESS = ((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5))  # added, of 1
_FOG = (
    ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
    ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
)  # density, decay of detail
_PIXELATE = ((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25))  # of the side
_OCCLUSION = ((0.05, 0.1, 0.2, 0.3, 0.4),) * 2  # of the area


def corrupted(name: str, images: Images, rows: NDArray[np.int64], strength: int) -> Images:
    """Return images (n, height, width, 3) after a corruption.

    name: one of CORRUPTIONS. rows: (n,), seeds of the images. strength: 1 to 5.
    """
    change, table, own_seed = CORRUPTIONS[name]
    parameter = table[min(images.shape[1:3]) >= SMALL][strength - 1]
    found = np.empty_like(images)
    for k, (image, row) in enumerate(zip(images, rows.tolist(), strict=True)):
        chance = np.random.default_rng([own_seed, strength, row])
        found[k] = change(image, parameter, chance)
    return found


def _quantised(pixels: _Pixels) -> Images:
    """Return pixels of [0, 1] as uint8, clipped."""
    return np.asarray((pixels.clip(0, 1) * 255).round(), np.uint8)


def _noise(image: Images, deviation: float, chance: np.random.Generator) -> Images:
    return _quantised(image / 255 + chance.normal(0, deviation, image.shape))


def _blur(image: Images, deviation: float, _: np.random.Generator) -> Images:
    reach = int(4 * deviation + 0.5)
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (steps / deviation) ** 2)
    kernel /= kernel.sum()
    pixels = image / 255
    for axis in (0, 1):
        length = pixels.shape[axis]
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(pixels, padding, mode="edge")
        pixels = sum(
            weight * padded.take(np.arange(shift, shift + length), axis=axis)
            for shift, weight in enumerate(kernel)
        )
    return _quantised(pixels)


def _jpeg(image: Images, quality: int, _: np.random.Generator) -> Images:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream), np.uint8)


def _contrast(image: Images, factor: float, _: np.random.Generator) -> Images:
    pixels = image / 255
    means = pixels.mean(axis=(0, 1), keepdims=True)
    return _quantised((pixels - means) * factor + means)


def _brightness(image: Images, added: float, _: np.random.Generator) -> Images:
    """Add to the value of HSV: hue and saturation stay, so channels keep their ratios."""
    pixels = image / 255
    value = pixels.max(axis=2, keepdims=True)
    brighter = (value + added).clip(0, 1)
    ratio = np.divide(pixels, value, out=np.ones_like(pixels), where=value > 0)
    return _quantised(ratio * brighter)


def _fog(image: Images, how: tuple[float, float], chance: np.random.Generator) -> Images:
    density, decay = how
    height, width = image.shape[:2]
    side = 2 ** math.ceil(math.log2(max(height, width, 2)))
    pixels = image / 255
    brightest = pixels.max()
    hazy = pixels + density * _plasma(side, decay, chance)[:height, :width, None]
    return _quantised(hazy * brightest / (brightest + density))


def _plasma(side: int, decay: float, chance: np.random.Generator) -> _Pixels:
    """Return a cloud (side, side) in [0, 1] by diamond-square on a torus; side: a power of two.

    Each level halves the step and divides the random part by decay squared.
    """
    cloud = np.zeros((side, side))
    step, amplitude = side, 1.0
    while step >= 2:
        half = step // 2
        corners = cloud[::step, ::step]
        centres = _mean(corners, np.roll(corners, -1, 0), np.roll(corners, -1, 1),
                        np.roll(corners, (-1, -1), (0, 1)))  # fmt: skip
        centres += amplitude * chance.uniform(-1, 1, centres.shape)
        cloud[half::step, half::step] = centres
        across = _mean(corners, np.roll(corners, -1, 1), centres, np.roll(centres, 1, 0))
        cloud[::step, half::step] = across + amplitude * chance.uniform(-1, 1, across.shape)
        down = _mean(corners, np.roll(corners, -1, 0), centres, np.roll(centres, 1, 1))
        cloud[half::step, ::step] = down + amplitude * chance.uniform(-1, 1, down.shape)
        step, amplitude = half, amplitude / decay**2
    cloud -= cloud.min()
    return np.asarray(cloud / cloud.max())


def _mean(*arrays: _Pixels) -> _Pixels:
    return np.asarray(sum(arrays) / len(arrays))


def _pixelate(image: Images, fraction: float, _: np.random.Generator) -> Images:
    height, width = image.shape[:2]
    small = (max(int(width * fraction), 1), max(int(height * fraction), 1))
    box = Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).resize(small, box).resize((width, height), box))


def _occlusion(image: Images, area: float, chance: np.random.Generator) -> Images:
    """Cover a part of the area with a grey rectangle of the image's proportions."""
    height, width = image.shape[:2]
    tall, wide = (max(round(math.sqrt(area) * side), 1) for side in (height, width))
    top, left = chance.integers(height - tall + 1), chance.integers(width - wide + 1)
    found = image.copy()
    found[top : top + tall, left : left + wide] = _GREY
    return found


Change = Callable[..., Images]
# name -> how an image is changed, parameters of small and large images, the seed's first number
CORRUPTIONS: MappingProxyType[str, tuple[Change, tuple[tuple[object, ...], ...], int]] = (
    MappingProxyType(
        {
            "noise": (_noise, _NOISE, 1),
            "blur": (_blur, _BLUR, 2),
            "jpeg": (_jpeg, _JPEG, 3),
            "contrast": (_contrast, _CONTRAST, 4),
            "brightness": (_brightness, _BRIGHTNESS, 5),
            "fog": (_fog, _FOG, 6),
            "pixelation": (_pixelate, _PIXELATE, 7),
            "occlusion": (_occlusion, _OCCLUSION, 8),
        }
    )
)
