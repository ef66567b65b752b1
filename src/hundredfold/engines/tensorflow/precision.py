"""Choose float32 or mixed_bfloat16 by timing trials of matrix products and of the step."""

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from hundredfold import machine
from hundredfold.compute import bf16
from hundredfold.compute.trials import Trial, compare
from hundredfold.engines.tensorflow.learner import gradient_step

_SIDE = 512  # of the matrices that are multiplied first
_PRODUCTS = 0.5  # seconds at most for matrix products
_EMULATED = 1.0  # a ratio of products below this means emulation, where a step takes minutes


def choose(
    build: Callable[[str], Any], images: Any, labels: Any, *, cache: Path, key: str
) -> tuple[str, str]:
    """Return "bf16" or "fp32", and the reason.

    build: returns the network in a precision. images, labels: one batch. A trial whose rounds
    agree is cached under `key`, the machine and TensorFlow's version.
    """
    chip = [platform.machine(), *machine.instruction_sets()]
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return bf16.choose(
        cache,
        [key, "tensorflow", tf.__version__, threads, chip],
        _products,
        lambda: compare(*(_step(build(p), images, labels) for p in ("fp32", "bf16"))),
        emulated_below=_EMULATED,
    )


def _products() -> Trial:
    """Compare a matrix product in bf16 with that in fp32."""

    def product(kind: Any) -> Callable[[], Any]:
        square = tf.ones((_SIDE, _SIDE), kind)
        return lambda: tf.matmul(square, square).numpy()

    return compare(product(tf.float32), product(tf.bfloat16), seconds=_PRODUCTS)


def _step(model: Any, images: Any, labels: Any) -> Callable[[], Any]:
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    step = tf.function(gradient_step(model, optimizer))
    return lambda: step(images, labels).numpy()
