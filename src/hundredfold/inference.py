"""The weights that a run's network is opened with, read from the run and checked."""

import json
from collections.abc import Callable, Mapping

import torch

from hundredfold import weights
from hundredfold.errors import DataError, MissingError
from hundredfold.run import Run

_LARGEST = 1024  # pixels, of what a file of weights may ask images to be


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


def load_weights(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
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
