"""Convert weights of Keras models to PyTorch's names and layouts, and back.

A name is the layer's name and PyTorch's name of the variable: "layer1.0.bn1.running_mean".
Convolutions are (out, in, h, w) and dense layers (out, in); Keras has the reverse.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import torch
from torch import Tensor

from hundredfold.inference import need_fit

_TORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_TO_TORCH = {4: (3, 2, 0, 1), 3: (2, 0, 1), 2: (1, 0), 1: (0,)}  # of a variable's axes
_COUNTER = "num_batches_tracked"  # of BatchNorm in PyTorch; unused with a momentum


def tensors(model: Any) -> dict[str, Tensor]:
    """Return copies of a model's weights."""
    tensors_by_name: dict[str, Tensor] = {}
    for name, variable in _variables(model):
        array = variable.value.numpy()
        moved = np.ascontiguousarray(array.transpose(_TO_TORCH[array.ndim]))
        tensors_by_name[name] = torch.from_numpy(moved.copy())
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            tensors_by_name[f"{layer.name}.{_COUNTER}"] = torch.zeros((), dtype=torch.int64)
    return tensors_by_name


def assign(model: Any, tensors_to_copy: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a model; every name and shape must match. Raises DataError."""
    need_fit(tensors(model), tensors_to_copy, where)
    for name, variable in _variables(model):
        array = tensors_to_copy[name].numpy()
        variable.assign(array.transpose(np.argsort(_TO_TORCH[array.ndim])))


def _variables(model: Any) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        for variable in layer.weights:
            yield f"{layer.name}.{_TORCH_NAMES.get(variable.name, variable.name)}", variable
