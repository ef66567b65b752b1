"""A peer for step.py: the training step that a careful Keras user writes, in TensorFlow.

Importable only where TensorFlow is installed. It shares nothing with the product: Keras'
own layers in their usual order, `tf.function`, float images that lie ready, Adam with Keras'
defaults for the simple CNN and SGD with momentum for ResNet-20.

    step = build("simple_cnn", threads=1, batch=128)
    images_per_second(step, batch=128, seconds=1.0)
"""

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
from keras import layers

CLASSES, SIZE = 100, 32
Step = Callable[[], None]


def simple_cnn() -> Any:
    """Return the network of the TensorFlow tutorial, with a second dense layer of 100."""
    return keras.Sequential([
        keras.Input((SIZE, SIZE, 3)),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.Flatten(),
        layers.Dense(64, activation="relu"), layers.Dense(CLASSES, dtype="float32"),
    ])  # fmt: skip


def resnet20() -> Any:
    """Return ResNet-20 as the Keras documentation writes it, with 1x1 shortcuts."""
    images = keras.Input((SIZE, SIZE, 3))
    x = _normed(images, 16, 3, 1, relu=True)
    for group, channels in enumerate((16, 32, 64)):
        for index in range(3):
            stride = 2 if group and not index else 1
            y = _normed(_normed(x, channels, 3, stride, relu=True), channels, 3, 1, relu=False)
            x = _normed(x, channels, 1, stride, relu=False) if stride > 1 else x
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(CLASSES, dtype="float32")(x))


def _normed(x: Any, channels: int, kernel: int, stride: int, *, relu: bool) -> Any:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def build(name: str, *, threads: int, batch: int = 128, precision: str = "fp32") -> Step:
    """Return one training step of "simple_cnn" or "resnet20" on a batch that lies ready.

    threads: has to be the same for all that one process builds. precision: "fp32", or "bf16"
    for Keras' mixed_bfloat16.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.config.set_dtype_policy("float32" if precision == "fp32" else "mixed_bfloat16")
    model = {"simple_cnn": simple_cnn, "resnet20": resnet20}[name]()
    small = name == "simple_cnn"
    optimizer: Any = keras.optimizers.Adam() if small else keras.optimizers.SGD(0.1, 0.9, True)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images = tf.random.normal((batch, SIZE, SIZE, 3))
    labels = tf.random.uniform((batch,), 0, CLASSES, tf.int64)

    def train() -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    compiled = tf.function(train)

    def step() -> None:
        float(compiled())

    return step


def images_per_second(step: Step, *, batch: int, seconds: float) -> float:
    """Return the speed of a block of steps that takes at least `seconds`; warm it up before."""
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - began)
