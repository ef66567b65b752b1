"""What Keras' layers draw, as one resampling of a batch.

Each of Keras' layers of flips, shifts, zooms and rotations blends pixels by itself, so that a
chain of three blends three times and softens what is trained on (docs/decisions/0013). Here
the layers draw, and their moves are composed before pixels are blended, once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import tensorflow as tf

Fill = Literal["reflect", "zero"]
_MODES = {"reflect": "reflect", "zero": "constant"}  # as Keras calls them


@dataclass(frozen=True)
class Move:
    """A layer of Keras whose draws are read, and never its images.

    layer: what draws.
    rows: what it has drawn and the images' pixels a side -> six numbers or (b, 1) tensors, in
        two rows of three: where each output pixel (x, y) looks in the input, in pixels.
    fill: what lies outside of an image; None for a move that never looks there.
    """

    layer: Any
    rows: Callable[[dict[str, Any], int], Sequence[Any]]
    fill: Fill | None = "reflect"

    def draw(self, images: Any, state: Any) -> Any:
        """Draw for images (b, size, size, 3) from a generator's state: (b, 3, 3) float32."""
        self.layer.generator.state.assign(state)
        drawn = self.layer.get_random_transformation(images, training=True)
        column = tf.ones((tf.shape(images)[0], 1))
        numbers = [*self.rows(drawn, images.shape[1]), 0.0, 0.0, 1.0]
        return tf.reshape(tf.concat([column * number for number in numbers], 1), (-1, 3, 3))


def move_images(images: Any, drawn: Iterable[tuple[Any, Fill | None]]) -> Any:
    """Return uint8 images (b, size, size, 3) moved by matrices with their fills, in order.

    Moves that fill alike are one resampling.
    """
    whole, filled = None, None
    for matrix, fill in drawn:
        if fill and filled and fill != filled:
            images, whole, filled = _resample(images, whole, filled), None, None
        whole = matrix if whole is None else whole @ matrix
        filled = fill or filled
    return images if whole is None else _resample(images, whole, filled or "reflect")


def _resample(images: Any, matrix: Any, fill: Fill) -> Any:
    moved = keras.ops.image.affine_transform(
        tf.cast(images, tf.float32),
        tf.reshape(matrix, (-1, 9))[:, :8],
        interpolation="bilinear",
        fill_mode=_MODES[fill],
    )
    moved.set_shape(images.shape)
    return tf.cast(tf.round(tf.clip_by_value(moved, 0, 255)), tf.uint8)
