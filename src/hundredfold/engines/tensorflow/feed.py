"""Batches by tf.data: cached, shuffled, augmented and prefetched.

As in `engines.pytorch.feed`, the order of an epoch is a function of (seed, epoch) and the
augmentation of a batch one of (seed, epoch, batch). Keras' layers have their own generators,
whose state is set before each batch.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from hundredfold.data import Packed, Pixels
from hundredfold.engines.tensorflow._moves import Move, move_images
from hundredfold.errors import UsageError

_ORDER, _AUGMENT = 0, 1  # independent random streams
_DRAWS = 8  # random numbers that a layer may use per batch


class Feed:
    """Shuffled, augmented, full batches of images (or features) with their labels.

    images: (n, ...), or packed, which are decoded for each batch. labels: (n,). indices: rows of
    the split. augment: moves, in order.
    waited: seconds the consumer has waited for batches.

    Raises UsageError where there are fewer images than a batch has.
    """

    def __init__(
        self,
        images: Pixels,
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        augment: Sequence[Move],
    ) -> None:
        count = len(indices)
        if batch_size > count:
            raise UsageError(
                f"a batch of {batch_size} is larger than the {count} training images",
                remedy=f"--batch-size {min(count, 128)}",
            )
        self.steps = count // batch_size
        self.waited = 0.0
        self._count, self._batch_size, self._seed = count, batch_size, seed
        self._augment = augment
        self._packed = images if isinstance(images, Packed) else None
        kept = indices if self._packed else np.asarray(images)[indices]
        self._images = tf.data.Dataset.from_tensor_slices((kept, labels[indices])).cache()

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of an epoch (from 0) in its order, from batch `start` on."""
        order, augment_seed = self._stream_seed(_ORDER, epoch), self._stream_seed(_AUGMENT, epoch)
        shuffled = self._images.shuffle(self._count, order, reshuffle_each_iteration=False)
        batches = shuffled.batch(self._batch_size, drop_remainder=True).enumerate().skip(start)
        if self._packed:
            batches = batches.map(lambda step, batch: (step, (self._decoded(batch[0]), batch[1])))
        augmented = batches.map(lambda step, batch: self._augmented(step, batch, augment_seed))
        iterator = iter(augmented.prefetch(tf.data.AUTOTUNE))
        while True:
            began = time.perf_counter()
            batch = next(iterator, None)
            self.waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: tf.data's threads end with its iterators."""

    def _decoded(self, rows: Any) -> Any:
        """Return the packed images of some rows."""
        assert self._packed
        images = tf.numpy_function(self._packed.__getitem__, [rows], tf.uint8)
        return tf.ensure_shape(images, (self._batch_size, *self._packed.shape[1:]))

    def _augmented(self, step: Any, batch: tuple[Any, Any], seed: int) -> tuple[Any, Any]:
        images, labels = batch
        drawn = [
            (move.draw(images, tf.stack([seed + index, step * _DRAWS])), move.fill)
            for index, move in enumerate(self._augment)
        ]
        return move_images(images, drawn), labels

    def _stream_seed(self, *stream: int) -> int:
        state = np.random.SeedSequence(self._seed, spawn_key=stream).generate_state(1, np.uint32)
        return int(state[0]) >> 1
