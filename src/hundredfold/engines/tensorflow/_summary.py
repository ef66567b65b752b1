"""Count a Keras model as `models.summary` counts PyTorch's."""

from math import prod
from typing import Any

from hundredfold.models import Layer, Summary, stages
from hundredfold.size import Size, SizeLike

_KINDS = {
    "Conv2D": "Conv2d",
    "Dense": "Linear",
    "MaxPooling2D": "MaxPool2d",
    "AveragePooling2D": "AvgPool2d",
    "GlobalAveragePooling2D": "AdaptiveAvgPool2d",
    "BatchNormalization": "BatchNorm2d",
}
_LEARNED = ("kernel", "bias", "gamma", "beta")


def summary(model: Any, size: SizeLike) -> Summary:
    """Count a network for one image of a size; kinds have PyTorch's names."""
    rows = tuple(_row(layer) for layer in model.layers if type(layer).__name__ != "InputLayer")
    return Summary(
        size=Size.of(size),
        parameters=sum(row.parameters for row in rows),
        macs=sum(row.macs for row in rows),
        layers=rows,
        stages=stages(rows),
    )


def _row(layer: Any) -> Layer:
    shape = tuple(layer.output.shape[1:])
    sizes = {variable.name: prod(variable.shape) for variable in layer.weights}
    positions = prod(shape[:-1])
    return Layer(
        name=layer.name,
        kind=_KINDS.get(type(layer).__name__, type(layer).__name__),
        output=(shape[-1], *shape[:-1]),
        parameters=sum(count for name, count in sizes.items() if name in _LEARNED),
        macs=positions * sizes.get("kernel", 0),
    )
