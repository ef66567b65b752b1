"""Logits of images: the one way that training, evaluation and prediction share."""

import json
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import nn

from hundredfold import call, feed, models
from hundredfold.errors import DataError, MissingError
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
        for images in feed.in_order(pixels, indices, BATCH, device):
            parts.append(model(images).float().cpu().numpy())
    model.train(was_training)
    return np.concatenate(parts)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a model runs in "bf16" or "fp32"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class Opened(NamedTuple):
    """A trained network with the names of its classes and the size of its images."""

    network: nn.Module
    classes: tuple[str, ...]
    size: int


def open_model(run: Run, device: torch.device) -> Opened:
    """Build a run's model with its best weights, checked by name and shape.

    Raises MissingError where training has left no weights yet, and DataError where the
    file does not fit the run's model.
    """
    if not run.best().is_file():
        raise MissingError(
            f"the run {str(run.folder)!r} has no weights yet",
            remedy=f"hundredfold train --resume {run.folder}",
        )
    tensors, metadata = _read_weights(run)
    classes, size = tuple(json.loads(metadata["classes"])), int(metadata["size"])
    model = models.build(call.parse(run.recipe.model), classes=len(classes), size=size, seed=0)
    load_weights(model, tensors, str(run.best()))
    return Opened(model.to(device).eval(), classes, size)


def _read_weights(run: Run) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the tensors of a run's best weights, and the metadata stored with them."""
    try:
        with safe_open(run.best(), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"cannot read {str(run.best())!r}", found=str(error)) from None
    if not {"classes", "size"} <= metadata.keys():
        raise DataError(
            f"{str(run.best())!r} does not say which classes it knows", found="no metadata"
        )
    return tensors, metadata


def load_weights(model: nn.Module, tensors: dict[str, torch.Tensor], where: str) -> None:
    """Copy tensors into a model; every name and shape must match. Raises DataError."""
    wanted = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    given = {name: tuple(t.shape) for name, t in tensors.items()}
    wrong = sorted(name for name in wanted | given if wanted.get(name) != given.get(name))
    if wrong:
        name = wrong[0]
        raise DataError(
            f"the weights in {where!r} do not fit the model ({len(wrong)} tensors differ)",
            found=f"{name}: {given.get(name, 'none')} there, {wanted.get(name, 'none')} here",
        )
    model.load_state_dict(tensors)
