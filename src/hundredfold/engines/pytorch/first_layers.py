"""Fit the layers that scale or whiten the images to a sample of the training images."""

import numpy as np
import torch
from torch import Tensor, nn

from hundredfold.data import Split

_FITTED_ON = 10_000  # training images, approximately, that a layer is fitted on
_FITTED_PIXELS = 20_000 * 32**2  # at most: fitting takes 100 bytes for each


def fit(model: nn.Module, training: Split) -> None:
    """Fit the layers of a model that have a method `fit`, on a sample of a training split."""
    _fit(model, _sample(training))


def _sample(split: Split) -> Tensor:
    """Return up to twice `_FITTED_ON` training images, spread over the split; large ones fewer."""
    count, (height, width) = len(split.indices), split.pixels.shape[1:3]
    affordable = -(-count * height * width // _FITTED_PIXELS)
    rows = split.indices[:: max(1, count // _FITTED_ON, affordable)]
    return torch.from_numpy(np.asarray(split.pixels[rows])).permute(0, 3, 1, 2)


def _fit(module: nn.Module, images: Tensor) -> None:
    """Call `fit` on the outermost modules of this package that have one."""
    fit = getattr(module, "fit", None)
    if callable(fit) and type(module).__module__.startswith("hundredfold."):
        fit(images)
        return
    for child in module.children():
        _fit(child, images)
