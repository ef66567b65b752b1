"""Logits of images by a PyTorch network, and a run's network with its best weights."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hundredfold import models, spec
from hundredfold.compute.precision import autocast
from hundredfold.engines.pytorch.feed import in_order
from hundredfold.errors import DataError, UsageError
from hundredfold.inference import read_weights
from hundredfold.models._fold import fold
from hundredfold.models.transfer import Transfer
from hundredfold.run import Run

BATCH = 250


def logits(
    model: nn.Module,
    pixels: NDArray[np.uint8],
    indices: NDArray[np.int64],
    *,
    device: torch.device,
    precision: str = "fp32",
) -> NDArray[np.float32]:
    """Return logits (len(indices), classes) of uint8 images, in the order of `indices`.

    The model is put in evaluation mode for this and back afterwards. What is stored and
    compared is computed in fp32; only validation while training runs in bf16.
    """
    was_training = model.training
    model.eval()
    parts = []
    with torch.inference_mode(), autocast(device, precision):
        for images in in_order(pixels, indices, BATCH, device):
            parts.append(model(images).float().cpu().numpy())
    model.train(was_training)
    return np.concatenate(parts)


class Opened(NamedTuple):
    """PyTorch's `Classifier`; the network lies on its device, in evaluation mode."""

    network: nn.Module
    classes: tuple[str, ...]
    size: int

    def logits(self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        device = next(self.network.parameters()).device
        return logits(self.network, pixels, indices, device=device)


def has_network(run: Run) -> bool:
    """Tell whether a run's network is one that PyTorch computes, whoever trained it."""
    return spec.parse(run.recipe.model).name in spec.names("hundredfold.models")


def open_model(run: Run, device: torch.device) -> Opened:
    """Build a run's model with its best weights, checked by name, shape and finiteness.

    Raises UsageError for a network of the other engine; else see `read_weights`.
    """
    part = spec.parse(run.recipe.model)
    if not has_network(run):
        raise UsageError(
            f"{part.name} is a network of the TensorFlow engine, which PyTorch cannot compute",
            remedy="hundredfold evaluate and predict take it",
        )
    tensors, classes, size = read_weights(run, lambda *of: _outline(part, *of).state_dict())
    model = models.build(part, classes=len(classes), size=size, seed=0)
    model.load_state_dict(tensors)
    if isinstance(model, Transfer):
        model.backbone = fold(model.backbone)
    return Opened(model.to(device).eval(), classes, size)


def _outline(part: spec.Call, classes: int, size: int) -> nn.Module:
    try:
        return models.outline(part, classes=classes, size=size)
    except (RuntimeError, OverflowError, TypeError) as error:
        raise DataError(f"there cannot be a model {part}", found=str(error)[:200]) from None
