"""Let random layers draw by the index of an image in its micro-batch.

A process that has some images of a micro-batch draws for all of them and keeps its own rows, so
dropout hits the same units of an image in whichever process it is computed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from hundredfold.compute.portions import Portion
from hundredfold.errors import UsageError


def draws(module: nn.Module) -> bool:
    """Return whether a layer of torch's or of this package draws random numbers."""
    return isinstance(module, nn.modules.dropout._DropoutNd | nn.RReLU)


def need_by_index(model: nn.Module) -> None:
    """Raise UsageError for a layer whose draws depend on the values of other images."""
    if any(isinstance(m, nn.RReLU) and m.training for m in model.modules()):
        raise UsageError(
            "RReLU cannot be divided among devices",
            found="it draws numbers for negative values only",
            remedy="--devices 1, or another activation",
        )


@contextmanager
def rows_of(model: nn.Module, portion: Portion) -> Iterator[None]:
    """Let the layers that draw see the images of a portion of a micro-batch."""
    drawing = not portion.whole
    layers = [m for m in model.modules() if drawing and m.training and draws(m)]
    for layer in layers:
        layer.forward = partial(_forward, layer, portion)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _forward(layer: nn.Module, portion: Portion, x: Tensor) -> Tensor:
    """Apply a layer to x among zeros.

    A layer may see several rows of each image, such as windows, which then lie side by side.
    """
    if len(x) % portion.images:
        result: Tensor = type(layer).forward(layer, x)
        return result
    rows = len(x) // portion.images
    whole = torch.zeros((portion.size * rows, *x.shape[1:]), dtype=x.dtype, device=x.device)
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        whole = whole.contiguous(memory_format=torch.channels_last)
    first = portion.before * rows
    whole[first : first + len(x)] = x
    drawn: Tensor = type(layer).forward(layer, whole)
    return drawn[first : first + len(x)]
