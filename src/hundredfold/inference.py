"""The weights that a run's network is opened with, read from the run and checked."""

import json
import logging
from collections.abc import Callable, Mapping

import torch

from hundredfold.errors import DataError
from hundredfold.run import Run
from hundredfold.weights import files as weight_files

_LOG = logging.getLogger(__name__)
_LARGEST = 1024  # pixels, of what a file of weights may ask images to be


def read_weights(
    run: Run, state: Callable[[int, int, Mapping[str, str]], Mapping[str, torch.Tensor]]
) -> tuple[dict[str, torch.Tensor], tuple[str, ...], int]:
    """Return a run's best weights, and the class names and image size stored with them.

    state: classes, pixels and the file's metadata -> the weights that such a network has. What
    the file says it holds is compared with them before memory is taken for it. Raises
    MissingError where there are no weights yet, and DataError where the file does not fit. Where
    training has not ended, the weights are the best of its newest save, and a note says so.
    """
    path, note = run.weights_to_use()
    if note:
        _LOG.warning("note: %s: %s", run.folder, note)
    with weight_files.opened(path) as contents:
        about = contents.metadata if path == run.best() else _metadata(run)
        classes, size = _images(about, str(path))
        wanted = state(len(classes), size, about)
        _need_fit(wanted, contents.entries, str(path))
        return contents.tensors(wanted), classes, size


def _metadata(run: Run) -> dict[str, str]:
    """Return what a run's weights say of their images, for those of a save, which say nothing."""
    about = run.info["data"]
    return {"classes": json.dumps(about["classes"]), "size": str(about["size"])}


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
    found: Mapping[str, torch.Tensor] | Mapping[str, weight_files.Entry],
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
