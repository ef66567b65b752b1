"""Logits of images: the one way that training, evaluation and prediction share."""

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hundredfold import call, feed, models, weights
from hundredfold.errors import DataError, MissingError, UsageError
from hundredfold.models._fold import fold
from hundredfold.models.transfer import Transfer
from hundredfold.run import Run

BATCH = 250
_LARGEST = 1024  # pixels, of what a file of weights may ask images to be


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
    """Return the context in which a model runs in "bf16" or "fp32".

    Cast weights are not kept: all threads would share them, and with them their graphs.
    """
    enabled = precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


class Classifier(Protocol):
    """A trained network of any engine, the names of its classes, the size of its images."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def size(self) -> int: ...

    def logits(self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) of images (n, size, size, 3)."""
        ...


class Opened(NamedTuple):
    """PyTorch's `Classifier`; the network lies on its device, in evaluation mode."""

    network: nn.Module
    classes: tuple[str, ...]
    size: int

    def logits(self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        device = next(self.network.parameters()).device
        return logits(self.network, pixels, indices, device=device)


def open_model(run: Run, device: torch.device) -> Opened:
    """Build a run's model with its best weights, checked by name, shape and finiteness.

    Raises UsageError for a network of the other engine; else see `read_weights`.
    """
    part = call.parse(run.recipe.model)
    if part.name not in call.names("hundredfold.models"):
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


def read_weights(
    run: Run, state: Callable[[int, int], Mapping[str, torch.Tensor]]
) -> tuple[dict[str, torch.Tensor], tuple[str, ...], int]:
    """Return a run's best weights, and the class names and image size stored with them.

    state: the weights that a network for so many classes and pixels has. What the file says
    it holds is compared with them before memory is taken for it. Raises MissingError where
    training has left no weights yet, and DataError where the file does not fit.
    """
    if not run.best().is_file():
        raise MissingError(
            f"the run {str(run.folder)!r} has no weights yet",
            remedy=f"hundredfold train --resume {run.folder}",
        )
    with weights.opened(run.best()) as contents:
        classes, size = _images(contents.metadata, str(run.best()))
        wanted = state(len(classes), size)
        _need_fit(wanted, contents.entries, str(run.best()))
        return contents.tensors(wanted), classes, size


def _outline(part: call.Call, classes: int, size: int) -> nn.Module:
    try:
        return models.outline(part, classes=classes, size=size)
    except (RuntimeError, OverflowError, TypeError) as error:
        raise DataError(f"there cannot be a model {part}", found=str(error)[:200]) from None


def _images(metadata: Mapping[str, str], where: str) -> tuple[tuple[str, ...], int]:
    """Return the classes and the size of images that the weights were made for."""
    try:
        classes, size = json.loads(metadata["classes"]), int(metadata["size"])
    except KeyError:
        raise DataError(
            f"{where!r} does not say which classes it knows", found="no metadata"
        ) from None
    except (ValueError, RecursionError):
        classes, size = None, 0
    named = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    if not named or not 1 <= size <= _LARGEST:
        raise DataError(f"{where!r} does not say which classes it knows, or of which size")
    return tuple(classes), size


def load_weights(model: nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Copy tensors into a model; every name and shape must match. Raises DataError."""
    _need_fit(model.state_dict(), tensors, where)
    model.load_state_dict(tensors)


def _need_fit(
    state: Mapping[str, torch.Tensor],
    found: Mapping[str, torch.Tensor] | Mapping[str, weights.Entry],
    where: str,
) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in state.items()}
    given = {name: tuple(entry.shape) for name, entry in found.items()}
    wrong = sorted(name for name in wanted | given if wanted.get(name) != given.get(name))
    if wrong:
        name = wrong[0]
        raise DataError(
            f"the weights in {where!r} do not fit the model ({len(wrong)} tensors differ)",
            found=f"{name}: {given.get(name, 'none')} there, {wanted.get(name, 'none')} here",
        )
    for name, tensor in state.items():
        kinds = found[name].dtype, tensor.dtype
        if kinds[0] != kinds[1] and not all(kind.is_floating_point for kind in kinds):
            raise DataError(
                f"the weights in {where!r} do not fit the model", found=f"{name} is {kinds[0]}"
            )
