"""Weights of Keras models under PyTorch's names and in its layouts, and back.

A variable's name is its layer's with PyTorch's word for it: "layer1.0.bn1.running_mean".
Convolutions are (out, in, h, w) and dense layers (out, in), where Keras has them reversed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import torch
from torch import Tensor

from hundredfold.errors import DataError

_WORDS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_TO_TORCH = {4: (3, 2, 0, 1), 3: (2, 0, 1), 2: (1, 0), 1: (0,)}  # of a variable's axes
_COUNTER = "num_batches_tracked"  # of BatchNorm in PyTorch; not used where there is a momentum


def tensors(model: Any) -> dict[str, Tensor]:
    """Return copies of a model's weights."""
    found: dict[str, Tensor] = {}
    for name, variable in _variables(model):
        array = variable.value.numpy()
        moved = np.ascontiguousarray(array.transpose(_TO_TORCH[array.ndim]))
        found[name] = torch.from_numpy(moved.copy())
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            found[f"{layer.name}.{_COUNTER}"] = torch.zeros((), dtype=torch.int64)
    return found


def assign(model: Any, given: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a model; every name and shape must match. Raises DataError."""
    wanted = {name: tuple(t.shape) for name, t in tensors(model).items()}
    there = {name: tuple(t.shape) for name, t in given.items()}
    wrong = sorted(name for name in wanted | there if wanted.get(name) != there.get(name))
    if wrong:
        name = wrong[0]
        raise DataError(
            f"the weights in {where!r} do not fit the model ({len(wrong)} tensors differ)",
            found=f"{name}: {there.get(name, 'none')} there, {wanted.get(name, 'none')} here",
        )
    for name, variable in _variables(model):
        array = given[name].numpy()
        variable.assign(array.transpose(np.argsort(_TO_TORCH[array.ndim])))


def _variables(model: Any) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        for variable in layer.weights:
            yield f"{layer.name}.{_WORDS.get(variable.name, variable.name)}", variable
