"""A Keras model with what trains it: one step, and all that a step changes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold.engines.tensorflow import weights
from hundredfold.errors import DataError
from hundredfold.weights.files import size

BATCH = 250
Schedule = Callable[[float], float]


class Learner:
    """Train a model step by step; see `training.protocols.Learner`, whose part this takes.

    network: the whole model, whose weights are kept. trained: what is fed, the same or, on
    features that are computed already, its head. exact: builds the network in fp32.
    """

    device = torch.device("cpu")  # where `step` leaves its sums, whatever computes
    micro_batch = 0  # the whole batch, always

    def __init__(
        self,
        network: Any,
        trained: Any,
        optimizer: Any,
        schedule: Schedule,
        exact: Callable[[], Any] | None,
    ) -> None:
        self.network, self.trained, self.optimizer = network, trained, optimizer
        self.schedule, self.exact = schedule, exact
        self.rates = [float(optimizer.learning_rate.value.numpy())]
        self._seeds = [g for layer in trained.layers if (g := _seeds_of(layer)) is not None]
        self._step = tf.function(gradient_step(trained, optimizer))
        self._logits = forward(trained)

    def step(self, images: Any, targets: Any, progress: float, key: int) -> Tensor:
        """Do one step on images with labels (batch,) and return [loss, number right]."""
        self.optimizer.learning_rate = self.rate(progress)
        for place, seeds in enumerate(self._seeds):
            seeds.state.assign([key % 2**31, place * 2**16])
        return torch.from_numpy(self._step(images, targets).numpy()).double()

    def shared_threads(self, _batch_size: int) -> int:
        """Return 1: how TensorFlow's threads wait cannot be told."""
        return 1

    def rate(self, progress: float) -> float:
        """The learning rate of a step at that progress."""
        return self.rates[0] * self.schedule(progress)

    def logits(self, pixels: NDArray[Any], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits in the precision of training."""
        return in_order(self._logits, pixels, indices)

    def final(
        self, given: Mapping[str, Tensor], pixels: NDArray[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return fp32 logits by these weights."""
        if self.exact is None:
            weights.assign(self.network, given, "memory")
            return self.logits(pixels, indices)
        twin = self.exact()
        weights.assign(twin, given, "memory")
        return in_order(forward(twin), pixels, indices)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are kept."""
        return weights.tensors(self.network)

    def weights_bytes(self) -> int:
        """Return the size of a file with `weights`."""
        return size(self.weights())

    def state_bytes(self) -> int:
        """Return the size of a file with `tensors`; the optimizer has its variables from start."""
        return size(self.tensors())

    def tensors(self) -> dict[str, Tensor]:
        """Return everything a step changes, by name."""
        found = {f"model.{name}": t for name, t in self.weights().items()}
        for place, variable in enumerate(self.optimizer.variables):
            found[f"optimizer.{place}"] = torch.from_numpy(np.array(variable.value.numpy()))
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to where `tensors` were taken."""
        model = {n.removeprefix("model."): t for n, t in tensors.items() if n[:6] == "model."}
        if self.trained is not self.network:
            _need_same_features(self.weights(), model)
        weights.assign(self.network, model, "state")
        for place, variable in enumerate(self.optimizer.variables):
            variable.assign(tensors[f"optimizer.{place}"].numpy())


def gradient_step(model: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    """Return a function of images and labels that does a step and returns [loss, right]."""

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        right = tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))
        return tf.stack([loss, right])

    return step


def forward(model: Any) -> Callable[[Any], Any]:
    """Return a model's logits (or features) as a function, traced once for batches of any size."""
    given = tf.TensorSpec(model.input.shape, model.input.dtype)
    made: Callable[[Any], Any] = tf.function(
        lambda images: model(images, training=False), input_signature=[given]
    )
    return made


def in_order(
    function: Callable[[Any], Any], pixels: NDArray[Any], indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return a function's results for rows of `pixels` in the order of `indices`."""
    found = [
        function(tf.constant(np.asarray(pixels[indices[first : first + BATCH]]))).numpy()
        for first in range(0, len(indices), BATCH)
    ]
    return np.concatenate(found).astype(np.float32)


def _need_same_features(now: Mapping[str, Tensor], then: Mapping[str, Tensor]) -> None:
    """Features that were computed by other weights than the saved ones belong to no head."""
    body = (name for name in now if not name.startswith("classifier."))
    if not all(torch.equal(now[name], then[name]) for name in body):
        raise DataError(
            "the frozen weights are not those that the run began with",
            remedy="the former file, or a new run",
        )


def _seeds_of(layer: Any) -> Any:
    return getattr(layer, "seed_generator", None)
