"""Networks of this engine: built in a precision, and opened with a run's best weights."""

from functools import cache
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from hundredfold import inference, spec
from hundredfold.engines.tensorflow import weights
from hundredfold.engines.tensorflow.learner import forward, in_order
from hundredfold.recipe import TENSORFLOW_MODELS
from hundredfold.run import Run

_POLICIES = {"fp32": "float32", "bf16": "mixed_bfloat16"}


class Opened(NamedTuple):
    """A trained network with the names of its classes and the size of its images."""

    network: Any
    classes: tuple[str, ...]
    size: int

    def logits(self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) of images (n, size, size, 3)."""
        return in_order(forward(self.network), pixels, indices)


def open_model(run: Run) -> Opened:
    """Build a run's network with its best weights. Raises MissingError or DataError."""
    network_of = cache(lambda classes, size: build(run.recipe.model, classes, size, 0))
    tensors, classes, size = inference.read_weights(
        run, lambda *of: weights.tensors(network_of(*of))
    )
    network = network_of(len(classes), size)
    weights.assign(network, tensors, str(run.best()))
    return Opened(network, classes, size)


def build(model: str, classes: int, size: int, seed: int, precision: str = "fp32") -> Any:
    """Build a network as a recipe names it, its weights a function of the seed."""
    make = spec.resolve(spec.parse(model), TENSORFLOW_MODELS)
    keras.utils.set_random_seed(seed)  # keras.applications takes no seed
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        return make(classes, size)
    finally:
        keras.config.set_dtype_policy(former)
