"""Read and check the weights of a run's network."""

import json
import logging
from collections.abc import Callable, Mapping

import torch

from hundredfold.errors import DataError, UsageError
from hundredfold.run import Run
from hundredfold.size import NO_SIZE, Size
from hundredfold.weights import files as weight_files

_LOG = logging.getLogger(__name__)
_LARGEST = 1024  # pixels: largest image size that a file of weights may declare


def read_weights(
    run: Run, state: Callable[[int, Size, Mapping[str, str]], Mapping[str, torch.Tensor]]
) -> tuple[dict[str, torch.Tensor], tuple[str, ...], Size]:
    """Return a run's best weights, and the class names and image size stored with them.

    state: number of classes, image size and the file's metadata -> state dict of such a network.
    Names and shapes of the file are compared with it before memory is allocated. Where training has
    not ended, the weights are the best of its newest save, and a note is logged. Raises
    MissingError where there are no weights yet, and DataError where the file does not match.
    """
    path, note = run.weights_to_use()
    if note:
        _LOG.warning("note: %s: %s", run.folder, note)
    with weight_files.opened(path) as contents:
        metadata = contents.metadata if path == run.best() else _metadata(run)
        classes, size = _images(metadata, str(path))
        _need_same_classes(run, classes, str(path))
        expected = state(len(classes), size, metadata)
        need_fit(expected, contents.entries, str(path))
        return contents.tensors(expected), classes, size


def _need_same_classes(run: Run, classes: tuple[str, ...], where: str) -> None:
    """Raise DataError where the classes of a file of weights are not those of run.json."""
    recorded = list(run.info["data"]["classes"])
    if list(classes) == recorded:
        return
    pairs = zip(classes, recorded, strict=False)
    other = next((f"{a[:80]!r} and {b[:80]!r}" for a, b in pairs if a != b), "")
    raise DataError(
        f"the classes in {where!r} are not those in run.json",
        found=other or f"{len(classes)} and {len(recorded)} classes",
        remedy="put back the file that training wrote",
    )


def _metadata(run: Run) -> dict[str, str]:
    """Return classes and image size of a run, for weights of a save, which lack metadata."""
    data = run.info["data"]
    return {"classes": json.dumps(data["classes"]), "size": str(data["size"])}


def _images(metadata: Mapping[str, str], where: str) -> tuple[tuple[str, ...], Size]:
    """Return the class names and the image size from metadata. Raises DataError."""
    try:
        classes, size = json.loads(metadata["classes"]), Size.of(metadata["size"])
    except KeyError:
        raise DataError(
            f"{where!r} does not say which classes it knows", found="no metadata"
        ) from None
    except (ValueError, RecursionError, UsageError):
        classes, size = None, NO_SIZE
    valid = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    if not valid or not size.within(1, _LARGEST):
        raise DataError(f"{where!r} does not say which classes it knows, or of which size")
    return tuple(classes), size


def load_weights(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Copy tensors into a model; every name and shape must match. Raises DataError."""
    need_fit(model.state_dict(), tensors, where)
    model.load_state_dict(tensors)


def need_fit(
    state: Mapping[str, torch.Tensor],
    tensors: Mapping[str, torch.Tensor] | Mapping[str, weight_files.Entry],
    where: str,
) -> None:
    """Raise DataError unless tensors have the names, shapes and kinds of types of a state."""
    expected = {name: tuple(tensor.shape) for name, tensor in state.items()}
    actual = {name: tuple(entry.shape) for name, entry in tensors.items()}
    wrong = sorted(name for name in expected | actual if expected.get(name) != actual.get(name))
    if wrong:
        name = wrong[0]
        raise DataError(
            f"the weights in {where!r} do not fit the model ({len(wrong)} tensors differ)",
            found=f"{name}: {actual.get(name, 'none')} there, {expected.get(name, 'none')} here",
        )
    for name, tensor in state.items():
        dtypes = tensors[name].dtype, tensor.dtype
        if dtypes[0] != dtypes[1] and not all(dtype.is_floating_point for dtype in dtypes):
            raise DataError(
                f"the weights in {where!r} do not fit the model", found=f"{name} is {dtypes[0]}"
            )
