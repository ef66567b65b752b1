"""Augmentations with random parameters from Keras' layers.

Options are those of `hundredfold.augment`; those that Keras' layers lack raise UsageError.
"""

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf
from keras import layers

from hundredfold.engines.tensorflow._moves import Move
from hundredfold.errors import UsageError
from hundredfold.size import Size


def flip(*, probability: float = 0.5) -> Move:
    """Mirror half of the images left to right."""
    if probability != 0.5:
        raise UsageError(
            f"Keras mirrors half of the images, not flip(probability={probability})", remedy="flip"
        )
    return Move(layers.RandomFlip("horizontal"), _mirrored, None)


def shift(
    *, horizontal: float = 0.1, vertical: float = 0.1, fill: Literal["reflect", "zero"] = "reflect"
) -> Move:
    """Shift by up to these fractions of width and height."""
    return Move(layers.RandomTranslation(vertical, horizontal), _shifted, fill)


def zoom(
    *, low: float = 0.9, high: float = 1.1, fill: Literal["reflect", "zero"] = "reflect"
) -> Move:
    """Magnify by a factor in [low, high]; Keras' parameter is 1 / factor - 1."""
    return Move(layers.RandomZoom((1 / high - 1, 1 / low - 1)), _zoomed, fill)


def rotate(*, degrees: float = 15.0, fill: Literal["reflect", "zero"] = "reflect") -> Move:
    """Rotate by up to `degrees` to either side."""
    return Move(layers.RandomRotation(degrees / 360), _rotated, fill)


def _mirrored(drawn: dict[str, Any], size: Size) -> Sequence[Any]:
    flips = tf.cast(drawn["flips"][:, 0, 0], tf.float32)
    return 1 - 2 * flips, 0.0, (size.width - 1) * flips, 0.0, 1.0, 0.0


def _shifted(drawn: dict[str, Any], _size: Size) -> Sequence[Any]:
    across, down = tf.split(drawn["translations"], 2, 1)
    return 1.0, 0.0, -across, 0.0, 1.0, -down


def _zoomed(drawn: dict[str, Any], size: Size) -> Sequence[Any]:
    width, height = drawn["width_zoom"], drawn["height_zoom"]
    down, across = (size.height - 1) / 2, (size.width - 1) / 2
    return width, 0.0, across * (1 - width), 0.0, height, down * (1 - height)


def _rotated(drawn: dict[str, Any], _size: Size) -> Sequence[Any]:
    return tuple(tf.split(drawn["rotation_matrix"][:, :6], 6, 1))
