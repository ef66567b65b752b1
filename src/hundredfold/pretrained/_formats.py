"""Files of weights as names and shapes, and a function that reads one tensor of them."""

import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hundredfold.errors import MissingError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weights:
    """A file's tensors: their shapes are known before any is read.

    eps: what the file says of its BatchNorm's epsilon, if anything.
    """

    shapes: Mapping[str, Shape]
    read: Callable[[str], Tensor]
    eps: float | None = None


def open_file(file: Path) -> Weights:
    """Open a .safetensors, .pth or .pt file. Raises MissingError for anything else in it."""
    return _safetensors(file) if file.suffix == ".safetensors" else _pickled(file)


def _safetensors(file: Path) -> Weights:
    try:
        opened: Any = safe_open(file, framework="pt")
        names = list(opened.keys())
        shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
        eps = float((opened.metadata() or {}).get("bn_eps", "nan"))
    except (SafetensorError, OSError, ValueError) as error:
        raise unreadable(file, str(error)) from None
    return Weights(shapes, opened.get_tensor, None if eps != eps else eps)


def _pickled(file: Path) -> Weights:
    """Read torch's own format, tensors only: nothing in the file is ever executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever is odd about a file ends in an error below
            found = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise unreadable(file, str(error).partition("\n")[0][:200]) from None
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        raise unreadable(file, "it is not a dictionary of tensors")
    return Weights({str(k): tuple(t.shape) for k, t in found.items()}, found.__getitem__)


def unreadable(file: Path, why: str) -> MissingError:
    """Return the error for a file that holds no weights that we read."""
    return MissingError(
        f"cannot read weights from {str(file)!r}",
        found=why,
        remedy="a .pth of torchvision, a .safetensors, or a .h5 of keras.applications",
    )
