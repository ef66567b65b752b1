"""Compose the random moves of Keras' layers into one resampling of a batch.

Each of Keras' layers for flips, shifts, zooms and rotations interpolates pixels, so a chain of
three interpolates three times and blurs the images (docs/decisions/0013). Here the layers draw
random parameters, and their moves are composed before pixels are interpolated once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import tensorflow as tf

from hundredfold.size import Size

Fill = Literal["reflect", "zero"]
_MODES = {"reflect": "reflect", "zero": "constant"}  # as Keras calls them


@dataclass(frozen=True)
class Move:
    """A Keras layer of which only the random parameters are used.

    layer: draws the parameters.
    rows: parameters, and height and width of the images -> six numbers or (b, 1) tensors: two
        rows of the affine map from output pixels (x, y) to input pixels.
    fill: pixels outside an image; None for a move that never reads there.
    """

    layer: Any
    rows: Callable[[dict[str, Any], Size], Sequence[Any]]
    fill: Fill | None = "reflect"

    def draw(self, images: Any, state: Any) -> Any:
        """Return random matrices (b, 3, 3) float32 for images; state: of the layer's generator."""
        self.layer.generator.state.assign(state)
        drawn = self.layer.get_random_transformation(images, training=True)
        column = tf.ones((tf.shape(images)[0], 1))
        numbers = [*self.rows(drawn, Size(*images.shape[1:3])), 0.0, 0.0, 1.0]
        return tf.reshape(tf.concat([column * number for number in numbers], 1), (-1, 3, 3))


def move_images(images: Any, moves: Iterable[tuple[Any, Fill | None]]) -> Any:
    """Return uint8 images (b, height, width, 3) moved by matrices with their fills, in order.

    Consecutive moves with equal fill are one resampling.
    """
    composed, current_fill = None, None
    for matrix, fill in moves:
        if fill and current_fill and fill != current_fill:
            images, composed, current_fill = _resample(images, composed, current_fill), None, None
        composed = matrix if composed is None else composed @ matrix
        current_fill = fill or current_fill
    return images if composed is None else _resample(images, composed, current_fill or "reflect")


def _resample(images: Any, matrix: Any, fill: Fill) -> Any:
    moved = keras.ops.image.affine_transform(
        tf.cast(images, tf.float32),
        tf.reshape(matrix, (-1, 9))[:, :8],
        interpolation="bilinear",
        fill_mode=_MODES[fill],
    )
    moved.set_shape(images.shape)
    return tf.cast(tf.round(tf.clip_by_value(moved, 0, 255)), tf.uint8)
