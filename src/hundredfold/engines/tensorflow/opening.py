"""Build a network in a precision, and open a run's network with its best weights."""

from functools import cache
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from hundredfold import inference
from hundredfold.data import Pixels, Resize, resize_of
from hundredfold.engines.tensorflow import weights
from hundredfold.engines.tensorflow.learner import forward, in_order
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.size import Size, SizeLike

_POLICIES = {"fp32": "float32", "bf16": "mixed_bfloat16"}


class Opened(NamedTuple):
    """A trained network with the names of its classes and the size of its images."""

    network: Any
    classes: tuple[str, ...]
    size: Size
    resize: Resize = "crop"

    def logits(self, pixels: Pixels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) of images (n, height, width, 3)."""
        return in_order(forward(self.network), pixels, indices)


def open_model(run: Run) -> Opened:
    """Build a run's network with its best weights. Raises MissingError or DataError."""
    recipe = run.recipe.override({"engine": "tensorflow"})  # PyTorch may have trained it
    network_of = cache(lambda classes, size: build(recipe, classes, size))
    tensors, classes, size = inference.read_weights(
        run, lambda classes, size, _: weights.tensors(network_of(classes, size))
    )
    network = network_of(len(classes), size)
    weights.assign(network, tensors, str(run.best()))
    return Opened(network, classes, size, resize_of(recipe.data.options))


def build(recipe: Recipe, classes: int, size: SizeLike, precision: str = "fp32") -> Any:
    """Build a recipe's network; the seed determines its weights."""
    arguments = {"classes": classes, "size": Size.of(size), "strategy": recipe.strategy.resolve()()}
    taken = {name: arguments[name] for name in recipe.model.signature.handed}
    keras.utils.set_random_seed(recipe.seed)  # keras.applications takes no seed
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        return recipe.model.resolve()(**taken)
    finally:
        keras.config.set_dtype_policy(former)
