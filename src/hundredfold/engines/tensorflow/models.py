"""Networks of the TensorFlow engine: uint8 (b, h, w, 3) -> logits (b, classes).

    simple_cnn           as models/simple_cnn.py, with equal names of weights
    resnet               as models/resnet.py at the depths for CIFAR, with equal names of weights
    keras_application    a network of keras.applications under a new dense layer

Layers are named as PyTorch's modules; `weights.py` derives the names of weights from them.
"""

from math import sqrt
from typing import Annotated, Any, Literal

import keras
from keras import layers

from hundredfold.engines.tensorflow._layers import PadShortcut, Scale
from hundredfold.errors import UsageError
from hundredfold.size import Size
from hundredfold.spec import BelowOne, OneOf
from hundredfold.strategies import Strategy

_NETWORKS = {
    "vgg16": keras.applications.VGG16,
    "resnet50": keras.applications.ResNet50,
    "densenet121": keras.applications.DenseNet121,
    "densenet169": keras.applications.DenseNet169,
    "densenet201": keras.applications.DenseNet201,
}
_CAFFE = ("vgg16", "resnet50")  # published for BGR, centred, not divided
_BLUE_FIRST = ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
_RED_FIRST = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_SMALL = 128  # pixels to which smaller images are enlarged for pretrained weights


def simple_cnn(classes: int, size: Size, *, dropout: BelowOne = 0.0) -> Any:
    """Build the tutorial network: three convolutions and two dense layers.

    size: at least 18 pixels. dropout: probability on the 64 hidden units, in [0, 1).
    """
    _need_size("simple_cnn", size, 18)
    images = keras.Input((*size, 3), dtype="uint8")
    x = Scale("scale")(images)
    x = layers.ReLU()(layers.MaxPooling2D()(layers.Conv2D(32, 3, name="conv1")(x)))
    x = layers.ReLU()(layers.MaxPooling2D()(layers.Conv2D(64, 3, name="conv2")(x)))
    x = layers.ReLU()(layers.Conv2D(64, 3, name="conv3")(x))
    x = layers.Flatten()(layers.Permute((3, 1, 2))(x))  # PyTorch's order: channels first
    x = layers.Dense(64, activation="relu", name="dense1")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(images, layers.Dense(classes, dtype="float32", name="dense2")(x))


def resnet(
    classes: int,
    size: Size,
    *,
    depth: Annotated[int, OneOf(20, 32, 44, 56, 110)] = 20,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> Any:
    """Build a residual network for CIFAR (He et al. 2016, arXiv:1512.03385, section 4.2).

    depth: 20, 32, 44, 56 or 110. stem: "auto" or "cifar", one 3x3 convolution.
    """
    if stem == "imagenet":
        raise UsageError(
            f"the TensorFlow engine has no resnet(depth={depth}, stem={stem!r})",
            found="it has the CIFAR stem",
            remedy='resnet(depth=20), or keras_application(name="resnet50")',
        )
    images = keras.Input((*size, 3), dtype="uint8")
    x = _conv(16, 1, "conv1")(Scale("scale")(images))
    x = layers.ReLU()(_norm("bn1")(x))
    for group, channels in enumerate((16, 32, 64), start=1):
        for index in range((depth - 2) // 6):
            stride = 2 if group > 1 and index == 0 else 1
            x = _block(x, channels, stride, f"layer{group}.{index}")
    x = layers.GlobalAveragePooling2D()(x)
    uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    head = layers.Dense(classes, kernel_initializer=uniform, dtype="float32", name="fc")
    return keras.Model(images, head(x))


def keras_application(
    classes: int,
    size: Size,
    strategy: Strategy,
    *,
    name: Literal["vgg16", "resnet50", "densenet121", "densenet169", "densenet201"],
    dropout: BelowOne = 0.2,
) -> Any:
    """Build a network of keras.applications: its features, averaged, under a dense layer.

    strategy: for pretrained weights. Images are resized to its input_size; 0 enlarges smaller ones
        to 128. Its dropout is used. A linear_probe trains the dense layer only.
    dropout: probability on the features in training from scratch, in [0, 1).
    """
    weights, frozen = strategy.pretrained, strategy.frozen
    head_dropout = strategy.dropout if weights else dropout
    enlarged = size.scaled(max(1.0, _SMALL / sqrt(size.area))) if weights else size
    seen = Size.of(strategy.input_size) or enlarged
    _need_size(name, seen, 32)
    images = keras.Input((*size, 3), dtype="uint8")
    scale = Scale("scale", *_scaling(name)) if weights else Scale("scale")
    x = scale(images)
    if seen != size:
        x = layers.Resizing(seen.height, seen.width, name="resize")(x)
    if weights and name in _CAFFE:
        x = x[..., ::-1]
    body = _NETWORKS[name](include_top=False, weights=None, input_tensor=x)
    for layer in body.layers:
        layer.trainable = not frozen
    x = layers.GlobalAveragePooling2D(name="features")(body.output)
    x = layers.Dropout(head_dropout, name="dropout")(x)
    head = layers.Dense(classes, dtype="float32", name="classifier")
    return keras.Model(images, head(x))


def published(name: str, weights: str | None) -> Any:
    """Build a network of keras.applications without a top; weights: "imagenet" or None."""
    return _NETWORKS[name](include_top=False, weights=weights)


def _block(x: Any, channels: int, stride: int, name: str) -> Any:
    y = layers.ReLU()(_norm(f"{name}.bn1")(_conv(channels, stride, f"{name}.conv1")(x)))
    y = _norm(f"{name}.bn2")(_conv(channels, 1, f"{name}.conv2")(y))
    changes = stride > 1 or x.shape[-1] != channels
    return layers.ReLU()(layers.Add()([y, PadShortcut(channels, stride)(x) if changes else x]))


def _conv(channels: int, stride: int, name: str) -> Any:
    """Return a 3x3 convolution padded by one pixel on every side, as in PyTorch.

    With stride 2, Keras' padding="same" pads an even side at its end only.
    """
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    convolution = layers.Conv2D(
        channels, 3, stride, padding="valid" if stride > 1 else "same", use_bias=False,
        kernel_initializer=initializer, name=name,
    )  # fmt: skip
    return convolution if stride == 1 else lambda x: convolution(layers.ZeroPadding2D(1)(x))


def _norm(name: str) -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _scaling(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and deviation of R, G and B that pretrained weights expect."""
    return _BLUE_FIRST if name in _CAFFE else _RED_FIRST


def _need_size(model: str, size: Size, least: int) -> None:
    if size.least < least:
        raise UsageError(
            f"{model} needs images of at least {least} pixels, not {size}",
            remedy="resnet(depth=20) takes any size",
        )
