"""Whether mixed_bfloat16 pays on this machine: a short probe of the very step."""

import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from hundredfold.compute.precision import WORTH
from hundredfold.engines.tensorflow.learner import gradient_step

_SIDE = 512  # of the matrices that are multiplied first
_TIMES = 4


def choose(build: Callable[[str], Any], images: Any, labels: Any) -> tuple[str, str]:
    """Return "bf16" or "fp32", and a sentence saying why.

    build: makes the network in a precision. Where the machine emulates bf16 a step takes
    minutes, so products of matrices are timed first.
    """
    if _products() < 1:
        return "fp32", "products of matrices are slower in bf16 here, measured now"
    times = {precision: _step(build(precision), images, labels) for precision in ("fp32", "bf16")}
    ratio = times["fp32"] / times["bf16"]
    chosen = "bf16" if ratio >= WORTH else "fp32"
    return chosen, f"a bf16 step is {ratio:.2f} times as fast here, measured now"


def _products() -> float:
    """Return the speed of a product of matrices in bf16 over that in fp32."""
    ones = (tf.ones((_SIDE, _SIDE), kind) for kind in (tf.float32, tf.bfloat16))
    exact, short = (_best(lambda m=m: tf.matmul(m, m)) for m in ones)  # type: ignore[misc]
    return exact / short


def _step(model: Any, images: Any, labels: Any) -> float:
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    step = tf.function(gradient_step(model, optimizer))
    return _best(lambda: step(images, labels))


def _best(function: Callable[[], Any]) -> float:
    """Return the seconds of the fastest call but the first."""
    times = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        function().numpy()
        times.append(time.perf_counter() - began)
    return min(times[1:])
