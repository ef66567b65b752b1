"""A Keras model with its optimizer: one training step, and the state that it changes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold.data import Pixels
from hundredfold.engines.tensorflow import weights
from hundredfold.errors import DataError
from hundredfold.weights.files import size

BATCH = 250  # images per forward pass without training
Schedule = Callable[[float], float]


class Learner:
    """Train a model step by step; it implements `training.protocols.Learner`.

    network: the whole model, whose weights are kept. trained: the same, or its head on features
    that are computed already. exact: builds the network in fp32; None where it is fp32.
    """

    device = torch.device("cpu")  # of the sums that `step` returns
    micro_batch = 0  # always the whole batch

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
        """Train on images with labels (batch,); return [mean loss, number correct], float64."""
        self.optimizer.learning_rate = self.rate(progress)
        for index, seeds in enumerate(self._seeds):
            seeds.state.assign([key % 2**31, index * 2**16])
        return torch.from_numpy(self._step(images, targets).numpy()).double()

    def shared_threads(self, _batch_size: int) -> int:
        """Return 1: the waits of TensorFlow's threads are unknown."""
        return 1

    def rate(self, progress: float) -> float:
        """Return the learning rate at a progress in [0, 1]."""
        return self.rates[0] * self.schedule(progress)

    def logits(self, pixels: Pixels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits in the precision of training."""
        return in_order(self._logits, pixels, indices)

    def final(
        self, tensors: Mapping[str, Tensor], pixels: Pixels, indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) of a model with these weights."""
        if self.exact is None:
            weights.assign(self.network, tensors, "memory")
            return self.logits(pixels, indices)
        fp32_network = self.exact()
        weights.assign(fp32_network, tensors, "memory")
        return in_order(forward(fp32_network), pixels, indices)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are kept."""
        return weights.tensors(self.network)

    def weights_bytes(self) -> int:
        """Return the size of a file with `weights`, in bytes."""
        return size(self.weights())

    def state_bytes(self) -> int:
        """Return the size of a file with `tensors`, in bytes; it is the same at every step."""
        return size(self.tensors())

    def tensors(self) -> dict[str, Tensor]:
        """Return the state that a step changes, by name."""
        tensors = {f"model.{name}": t for name, t in self.weights().items()}
        for index, variable in enumerate(self.optimizer.variables):
            tensors[f"optimizer.{index}"] = torch.from_numpy(np.array(variable.value.numpy()))
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the state that `tensors` returned."""
        model = {n.removeprefix("model."): t for n, t in tensors.items() if n[:6] == "model."}
        if self.trained is not self.network:
            _need_same_features(self.weights(), model)
        weights.assign(self.network, model, "state")
        for index, variable in enumerate(self.optimizer.variables):
            variable.assign(tensors[f"optimizer.{index}"].numpy())


def gradient_step(model: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    """Return a function of images and labels that trains and returns [loss, number correct]."""

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        correct = tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))
        return tf.stack([loss, correct])

    return step


def forward(model: Any) -> Callable[[Any], Any]:
    """Return a model's forward pass as a function, traced once for batches of any size."""
    signature = tf.TensorSpec(model.input.shape, model.input.dtype)
    function: Callable[[Any], Any] = tf.function(
        lambda images: model(images, training=False), input_signature=[signature]
    )
    return function


def in_order(
    function: Callable[[Any], Any], pixels: Pixels, indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return a function's results for rows of `pixels` in the order of `indices`."""
    results = [
        function(tf.constant(np.asarray(pixels[indices[first : first + BATCH]]))).numpy()
        for first in range(0, len(indices), BATCH)
    ]
    return np.concatenate(results).astype(np.float32)


def _need_same_features(now: Mapping[str, Tensor], then: Mapping[str, Tensor]) -> None:
    """Raise DataError where features come from other weights than the saved ones."""
    body = (name for name in now if not name.startswith("classifier."))
    if not all(torch.equal(now[name], then[name]) for name in body):
        raise DataError(
            "the frozen weights are not those that the run began with",
            remedy="the former file, or a new run",
        )


def _seeds_of(layer: Any) -> Any:
    return getattr(layer, "seed_generator", None)
