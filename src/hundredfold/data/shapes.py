"""Synthetic shapes: 20 shapes (the superclasses) in 5 colours, for tests and first steps.

Every image has its own position, size, rotation, brightness and noise. The pixels depend only
on the options: raw random draws and arithmetic, without a drawing library.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _store
from hundredfold.data._rows import Rows
from hundredfold.data._types import DataSet, Source
from hundredfold.size import PlainSize, Size
from hundredfold.spec import Fraction, Range, Sides

Plane = NDArray[np.floating[Any]]  # (b, height, width)

COLOURS: Mapping[str, tuple[float, float, float]] = {
    "red": (0.95, 0.25, 0.2),
    "green": (0.2, 0.85, 0.3),
    "blue": (0.3, 0.45, 1.0),
    "yellow": (0.95, 0.9, 0.2),
    "violet": (0.85, 0.35, 0.9),
}
_BLOCK = 256


def _polygon(x: Plane, y: Plane, sides: int) -> Plane:
    """Return how far inside a regular polygon, with a corner at the top, each point is."""
    step = 2 * np.pi / sides
    angle = np.mod(np.arctan2(x, -y), step) - step / 2
    return np.float32(np.cos(step / 2)) - np.hypot(x, y) * np.cos(angle)


def _star(x: Plane, y: Plane, points: int) -> Plane:
    """Return how far inside a star, with a tip at the top, each point is."""
    step = 2 * np.pi / points
    angle = np.abs(np.mod(np.arctan2(x, -y) + step / 2, step) - step / 2) / (step / 2)
    return 1 - 0.62 * angle.astype(np.float32) - np.hypot(x, y)


def _box(x: Plane, y: Plane, width: float, height: float) -> Plane:
    return np.minimum(width - np.abs(x), height - np.abs(y))


def _disc(x: Plane, y: Plane, radius: float = 1.0) -> Plane:
    return radius - np.hypot(x, y)


def _plus(x: Plane, y: Plane) -> Plane:
    return np.maximum(_box(x, y, 0.3, 1), _box(x, y, 1, 0.3))


def _turned(x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """Return the points rotated by 45 degrees."""
    return (x + y) * np.float32(0.5**0.5), (y - x) * np.float32(0.5**0.5)


# Signed distance inside the shape, in units of its radius; below 0 a point is outside.
# x grows to the right and y downwards.
SHAPES: Mapping[str, Callable[[Plane, Plane], Plane]] = {
    "disc": _disc,
    "ring": lambda x, y: 0.22 - np.abs(np.hypot(x, y) - 0.75),
    "square": lambda x, y: _box(x, y, 0.8, 0.8),
    "frame": lambda x, y: np.minimum(_box(x, y, 0.9, 0.9), -_box(x, y, 0.5, 0.5)),
    "triangle": lambda x, y: _polygon(x, y, 3),
    "diamond": lambda x, y: 1 - np.abs(x) - np.abs(y),
    "hexagon": lambda x, y: _polygon(x, y, 6),
    "star": lambda x, y: _star(x, y, 5),
    "spark": lambda x, y: _star(x, y, 4) - np.float32(0.1),
    "plus": _plus,
    "cross": lambda x, y: _plus(*_turned(x, y)),
    "bar": lambda x, y: _box(x, y, 1, 0.3),
    "post": lambda x, y: _box(x, y, 0.3, 1),
    "egg": lambda x, y: _disc(x * np.float32(1.8), y),
    "lens": lambda x, y: np.minimum(_disc(x, y - 0.6, 1.1), _disc(x, y + 0.6, 1.1)),
    "crescent": lambda x, y: np.minimum(_disc(x, y), -_disc(x, y + 0.5, 0.85)),
    "arch": lambda x, y: np.minimum(_disc(x, y), -y),
    "arrow": lambda x, y: np.maximum(
        np.minimum(0.75 * (y + 1) - np.abs(x), -0.05 - y), _box(x, y - 0.3, 0.25, 0.6)
    ),
    "tee": lambda x, y: np.maximum(_box(x, y + 0.7, 0.9, 0.3), _box(x, y - 0.1, 0.28, 0.9)),
    "pair": lambda x, y: np.maximum(_disc(x - 0.55, y, 0.45), _disc(x + 0.55, y, 0.45)),
}
_CLASSES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)


def shapes(
    source: Source,
    *,
    size: Annotated[PlainSize, Sides(8, 512)] = 32,
    classes: Annotated[int, Range(2, 100)] = 100,
    images: Annotated[int, Range(1, 100_000)] = 50,
    noise: Fraction = 0.1,
) -> DataSet:
    """Generate the first `classes` of 100 classes, with `images` training images each.

    size:    height and width, each 8 to 512 pixels, or "HEIGHTxWIDTH".
    classes: number of classes, 2 to 100.
    images:  training images per class; the test part has a fifth as many, at least one.
    noise:   largest deviation of a pixel, as a fraction of full brightness, in [0, 1].
    """
    pixels = Size.of(size)

    def part(name: str, count: int) -> _store.Part:
        key = f"shapes {name} size={pixels} {classes=} {count=} {noise=}"
        seed = int(name == "test")
        decode = partial(_decode, pixels, classes, count, float(noise), seed)
        return _store.prepare(source.cache, f"shapes/{name}", key, decode)

    train, kinds, colours = part("train", images), tuple(SHAPES), len(COLOURS)
    return DataSet(
        name="shapes",
        classes=_CLASSES[:classes],
        superclasses=kinds[: -(-classes // colours)],
        superclass_of=tuple(i // colours for i in range(classes)),
        size=pixels,
        digest=_store.digest([train], _CLASSES[:classes]),
        parts={"train": train.open, "test": lambda: part("test", max(images // 5, 1)).open()},
        bundled=True,
    )


def _decode(size: Size, classes: int, count: int, noise: float, seed: int) -> Rows:
    labels = np.tile(np.arange(classes), count)
    return Rows(labels, size, _blocks(labels, size, noise, np.random.PCG64(seed)))


def _blocks(
    labels: NDArray[np.int64], size: Size, noise: float, bits: np.random.PCG64
) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of images (b, height, width, 3) in the order of the labels."""
    for start in range(0, len(labels), _BLOCK):
        block_labels = labels[start : start + _BLOCK]
        images = _drawn(block_labels, size, _uniform(bits, (8, len(block_labels), 1, 1)))
        grain = np.float32(2 * noise) * (_uniform(bits, images.shape) - np.float32(0.5))
        yield (np.clip(images + grain, 0, 1) * 255).astype(np.uint8)


def _drawn(labels: NDArray[np.int64], size: Size, draws: NDArray[np.float32]) -> Plane:
    """Return images (b, height, width, 3) in [0, 1]; `draws` (8, b, 1, 1) are in [0, 1)."""
    across, down, radius, slant, light, *ground = draws
    radius = size.least * (0.26 + 0.16 * radius)
    ys, xs = (np.arange(side, dtype=np.float32) + np.float32(0.5) for side in size)
    middle_y, middle_x = size.height / 2, size.width / 2
    x = (xs[None, None, :] - middle_x - (2 * across - 1) * (middle_x - radius)) / radius
    y = (ys[None, :, None] - middle_y - (2 * down - 1) * (middle_y - radius)) / radius
    turn = (slant - 0.5) * 0.5  # radians: up to 14 degrees either way
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    inside = np.empty_like(x, dtype=np.float32)
    for kind, shape in enumerate(SHAPES.values()):
        rows = labels // len(COLOURS) == kind
        if rows.any():
            inside[rows] = shape(x[rows], y[rows])
    cover = np.clip(inside * radius + 0.5, 0, 1)[..., None]  # antialiased over one pixel
    paint = np.array(list(COLOURS.values()), np.float32)[labels % len(COLOURS)]
    paint = paint[:, None, None, :] * (0.7 + 0.3 * light[..., None])
    back = 0.05 + 0.35 * np.stack(ground, axis=-1)
    return np.asarray(cover * paint + (1 - cover) * back, np.float32)


def _uniform(bits: np.random.PCG64, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return 16-bit numbers in [0, 1); raw draws are the same in every NumPy version."""
    count = int(np.prod(shape))
    words = bits.random_raw(-(-count // 4)).astype("<u8").view("<u2")[:count]
    return (words.astype(np.float32) / np.float32(65536)).reshape(shape)
