"""Compute logits with a PyTorch network, and open a run's network with its best weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hundredfold import models, spec
from hundredfold.compute.precision import autocast
from hundredfold.data import Pixels, Resize, resize_of
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.feed import in_order
from hundredfold.errors import DataError, UsageError
from hundredfold.inference import read_weights
from hundredfold.recipe import PACKAGES, Recipe
from hundredfold.run import Run
from hundredfold.size import Size
from hundredfold.weights.locate import size_in

BATCH = 250  # images


def logits(
    model: nn.Module,
    pixels: Pixels,
    indices: NDArray[np.int64],
    *,
    device: torch.device,
    precision: str = "fp32",
) -> NDArray[np.float32]:
    """Return logits (len(indices), classes) of uint8 images, in the order of `indices`.

    pixels: (n, height, width, 3). The model is in evaluation mode meanwhile. Stored scores are
    computed in fp32; only validation during training uses bf16.
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
    """PyTorch's `Classifier`; the network is on its device, in evaluation mode."""

    network: nn.Module
    classes: tuple[str, ...]
    size: Size
    resize: Resize = "crop"

    def logits(self, pixels: Pixels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        device = next(self.network.parameters()).device
        return logits(self.network, pixels, indices, device=device)


def has_network(run: Run) -> bool:
    """Return whether PyTorch has a run's network, whichever engine trained it."""
    model = run.recipe.model
    return model.own is not None or model.name in spec.names(PACKAGES["model"])


def open_model(run: Run, device: torch.device) -> Opened:
    """Build a run's network with its best weights, checked by name, shape and finiteness.

    Raises UsageError for a network that only TensorFlow has, and for a user's own code that is not
    trusted; else as `read_weights`.
    """
    recipe = run.recipe
    if not has_network(run):
        raise UsageError(
            f"{recipe.model.name} is a network of the TensorFlow engine, which PyTorch cannot "
            "compute",
            remedy="hundredfold evaluate and predict take it",
        )
    if recipe.engine != "pytorch":  # trained by another engine; the networks are equal by name
        recipe = recipe.override({"engine": "pytorch", "model": str(recipe.model)})
    facts: dict[str, Any] = {}

    def state(classes: int, size: Size, metadata: Mapping[str, str]) -> Mapping[str, Tensor]:
        facts.update(_facts(metadata))
        return _outline(recipe, classes, size, facts).state_dict()

    tensors, classes, size = read_weights(run, state)
    model = network.build(recipe, classes=len(classes), size=size, **facts)
    model.load_state_dict(tensors)
    folded = network.for_inference(model.to(device))
    return Opened(folded, classes, size, resize_of(recipe.data.options))


def _facts(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the layout and input size from the metadata of a file of weights."""
    layout = "keras" if metadata.get("layout") == "keras" else "torchvision"
    return {"layout": layout, "input_size": size_in(metadata, "input_size")}


def _outline(recipe: Recipe, classes: int, size: Size, facts: Mapping[str, Any]) -> nn.Module:
    try:
        with models.without_weights():
            return network.build(recipe, classes=classes, size=size, **facts)
    except (RuntimeError, OverflowError, TypeError) as error:
        raise DataError(f"there cannot be a model {recipe.model}", found=str(error)[:200]) from None
