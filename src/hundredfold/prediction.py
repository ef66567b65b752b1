"""Files to labels with probabilities, by a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hundredfold.data import decode
from hundredfold.errors import DataError, UsageError
from hundredfold.inference import Classifier

_AT_ONCE = 1000  # images decoded and held at a time


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of one file, best first, each with its probability.

    error: why the file could not be read; then there are no labels.
    """

    file: str
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    error: str = ""


def predict(model: Classifier, paths: Sequence[Path], *, top: int = 5) -> list[Prediction]:
    """Predict image files, in the order given; a folder stands for the images below it.

    A file that is no image gets a prediction with an `error`, and the others their labels.
    Raises UsageError where a path does not exist or there is no file at all.
    """
    files = _files(paths)
    found: list[Prediction] = []
    for first in range(0, len(files), _AT_ONCE):
        some = files[first : first + _AT_ONCE]
        decoded = [_decoded(file, model.size) for file in some]
        images = [image for image in decoded if not isinstance(image, str)]
        shares = iter(_probabilities(model, images))
        for file, image in zip(some, decoded, strict=True):
            if isinstance(image, str):
                found.append(Prediction(str(file), error=image))
            else:
                found.append(_best(str(file), next(shares), model.classes, top))
    return found


def _probabilities(model: Classifier, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    if not images:
        return np.empty((0, 0), np.float32)
    found = model.logits(np.stack(images), np.arange(len(images)))
    return torch.from_numpy(found).softmax(1).numpy()


def _best(file: str, shares: NDArray[np.float32], classes: Sequence[str], top: int) -> Prediction:
    order = np.argsort(-shares, kind="stable")[:top]
    return Prediction(
        file, tuple(classes[k] for k in order), tuple(float(shares[k]) for k in order)
    )


def _decoded(file: Path, size: int) -> NDArray[np.uint8] | str:
    try:
        return decode(file, size)
    except DataError as error:
        return error.message


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file {str(path)!r}")
        inside = sorted(f for f in path.rglob("*") if f.is_file() and not f.name.startswith("."))
        files += inside if path.is_dir() else [path]
    if not files:
        raise UsageError("no files to predict", remedy="hundredfold predict latest photos/*.jpg")
    return files
