"""The peer in TensorFlow: the networks of step.py as a careful Keras user writes them.

Keras' own layers, `tf.function`, float images that lie ready, Keras' own optimizers. Each
network has its counterpart's parameters and multiply-accumulates. Importable only where
TensorFlow is installed.
"""

import os
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
from _common import Work
from _ours import Part, Recipe
from keras import layers, ops

CLASSES, PIXELS = 100, 32


def simple_cnn() -> Any:
    """The network of the tutorial."""
    return keras.Sequential([
        keras.Input((PIXELS, PIXELS, 3)),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.Flatten(),
        layers.Dense(64, activation="relu"), layers.Dense(CLASSES, dtype="float32"),
    ])  # fmt: skip


def resnet(channels: Sequence[int], blocks: int, *, project: bool) -> Any:
    """Basic blocks after a 3x3 stem; shortcuts are 1x1 convolutions, or zeros for new channels."""
    images = keras.Input((PIXELS, PIXELS, 3))
    x = layers.ReLU()(_normed(images, channels[0], 3, 1))
    for group, outputs in enumerate(channels):
        for index in range(blocks):
            stride = 2 if group and not index else 1
            y = _normed(layers.ReLU()(_normed(x, outputs, 3, stride)), outputs, 3, 1)
            x = layers.ReLU()(layers.Add()([y, _shortcut(x, outputs, stride, project)]))
    return _headed(images, x)


def wide(channels: Sequence[int], blocks: int) -> Any:
    """Norm and ReLU before each convolution, as in wide residual networks."""
    images = keras.Input((PIXELS, PIXELS, 3))
    x = _conv(images, 16, 3, 1)
    for group, outputs in enumerate(channels):
        for index in range(blocks):
            stride = 2 if group and not index else 1
            before = layers.ReLU()(layers.BatchNormalization()(x))
            y = _conv(before, outputs, 3, stride)
            y = _conv(layers.ReLU()(layers.BatchNormalization()(y)), outputs, 3, 1)
            x = layers.Add()([y, x if index else _conv(before, outputs, 1, stride)])
    return _headed(images, layers.ReLU()(layers.BatchNormalization()(x)))


def network(model: Part) -> Any:
    """Return the counterpart of one of step.py's networks."""
    depth = model.options.get("depth")
    if model.name == "simple_cnn":
        return simple_cnn()
    if model.name == "resnet" and depth == 20:
        return resnet((16, 32, 64), 3, project=False)
    if model.name == "resnet" and depth == 18:
        return resnet((64, 128, 256, 512), 2, project=True)
    assert model.name == "wrn", model
    width = model.options["width"]
    return wide([16 * width, 32 * width, 64 * width], (depth - 4) // 6)


def work(recipe: Recipe, size: int, precision: str, threads: int) -> Work:
    """Return a recipe's step on float images that lie ready; it returns the images it took."""
    assert size == PIXELS, size
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.config.set_dtype_policy("float32" if precision == "fp32" else "mixed_bfloat16")
    model, optimizer = network(recipe.model), _optimizer(recipe.optimizer)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images = tf.random.normal((recipe.batch_size, PIXELS, PIXELS, 3))
    labels = tf.random.uniform((recipe.batch_size,), 0, CLASSES, tf.int64)

    def train() -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    compiled = tf.function(train)

    def step() -> float:
        float(compiled())
        return recipe.batch_size

    return step


def _optimizer(chosen: Part) -> Any:
    options = chosen.options
    if chosen.name == "adam":
        return keras.optimizers.Adam(options["lr"])
    assert chosen.name == "sgd", chosen
    return keras.optimizers.SGD(
        options["lr"], options["momentum"], options["nesterov"],
        weight_decay=options["weight_decay"],
    )  # fmt: skip


def _conv(x: Any, channels: int, kernel: int, stride: int) -> Any:
    return layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)


def _normed(x: Any, channels: int, kernel: int, stride: int) -> Any:
    return layers.BatchNormalization()(_conv(x, channels, kernel, stride))


def _shortcut(x: Any, channels: int, stride: int, project: bool) -> Any:
    more = channels - x.shape[-1]
    if not more:
        return x
    if project:
        return _normed(x, channels, 1, stride)
    return ops.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (0, more)))


def _headed(images: Any, x: Any) -> Any:
    head = layers.Dense(CLASSES, dtype="float32")
    return keras.Model(images, head(layers.GlobalAveragePooling2D()(x)))
