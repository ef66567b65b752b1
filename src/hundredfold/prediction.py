"""Predict labels with probabilities for images, with a classifier."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold.calibration import Calibration, unknown
from hundredfold.classifier import Classifier, need_finite
from hundredfold.data import Resize, decode, images_below, passed_over_sentences, quietly, reading
from hundredfold.errors import DataError, UsageError
from hundredfold.size import SizeLike

_BATCH = 1000  # images that are decoded and held in memory
TOP = 5  # default number of classes in `top`
_AS_COMPUTED = Calibration()  # temperature 1, no bounds

Item: TypeAlias = Path | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image.

    file:    path of the image, or None for an image in memory.
    classes: all class names.
    values:  (classes,), the probability of each class.
    error:   why the image could not be read; there are no values then.
    unknown: how unlike the training images it is, in [0, 1], as `calibration.unknown` has it; None
             if not computed. It finds images of classes close to the run's own only in part: of
             pairs with an image of a known class, it ranks about 80 % correctly.
    rejected: whether `unknown` exceeds the bound of `reject_at`; None where there is none.
    label_set: the labels of its set, most probable first, where sets are asked for.
    """

    file: str | None
    classes: tuple[str, ...] = field(default=(), repr=False)
    values: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
    error: str = ""
    unknown: float | None = None
    rejected: bool | None = None
    label_set: tuple[str, ...] | None = None

    @property
    def label(self) -> str | None:
        """The most probable class; None after an error."""
        return next(iter(self.probabilities), None)

    @property
    def probability(self) -> float | None:
        """The probability of `label`, in [0, 1]; None after an error."""
        return next(iter(self.probabilities.values()), None)

    @property
    def probabilities(self) -> dict[str, float]:
        """Class -> probability, most probable first."""
        order = np.argsort(-self.values, kind="stable")
        return {self.classes[k]: float(self.values[k]) for k in order}

    def top(self, count: int = TOP) -> dict[str, float]:
        """Return class -> probability of the `count` most probable classes, best first.

        Raises UsageError for fewer than one.
        """
        if count < 1:
            raise UsageError(f"top = {count} is not positive", remedy="top=1, or more classes")
        return dict(list(self.probabilities.items())[:count])

    def to_json(self, top: int = TOP) -> dict[str, Any]:
        """Return the image's entry in the output of `predict --json`."""
        best = [{"label": k, "probability": v} for k, v in self.top(top).items()]
        facts: dict[str, Any] = {
            "file": self.file,
            "label": self.label,
            "probability": self.probability,
        }
        facts |= {"top": best, "unknown": self.unknown, "error": self.error or None}
        if self.rejected is not None:
            facts["rejected"] = self.rejected
        if self.label_set is not None:
            facts["set"] = list(self.label_set)
        return facts

    def __repr__(self) -> str:
        where = self.file or "an image"
        if self.error:
            return f"Prediction({where}: {self.error})"
        return f"Prediction({where}: {self.label} {self.probability:.1%})"


class Predictions(Sequence[Prediction]):
    """Predictions in the order of the images.

    passed_over: kind -> number of files below the given folders that are no images.
    """

    def __init__(
        self, predictions: Sequence[Prediction], passed_over: Mapping[str, int] | None = None
    ) -> None:
        self._predictions = tuple(predictions)
        self.passed_over = dict(passed_over or {})

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> "Predictions": ...
    def __getitem__(self, index: int | slice) -> "Prediction | Predictions":
        if isinstance(index, slice):
            return type(self)(self._predictions[index], self.passed_over)
        return self._predictions[index]

    def __len__(self) -> int:
        return len(self._predictions)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on each kind of file that is passed over."""
        return tuple(passed_over_sentences(self.passed_over))

    @property
    def labels(self) -> list[str | None]:
        """The most probable class of each image; None after an error."""
        return [prediction.label for prediction in self]

    def to_json(self, top: int = TOP) -> dict[str, Any]:
        """Return the output of `predict --json`."""
        rows = [prediction.to_json(top) for prediction in self]
        return {"predictions": rows, "passed_over": self.passed_over}

    def __repr__(self) -> str:
        shown = "\n".join(f"  {prediction!r}" for prediction in self[:10])
        more = f"\n  ... {len(self) - 10:,} more" if len(self) > 10 else ""
        return f"Predictions of {len(self):,} images\n{shown}{more}"


def predict(
    model: Classifier, items: Sequence[Item], calibration: Calibration = _AS_COMPUTED
) -> Predictions:
    """Predict images in order; a folder is replaced by the images below it.

    calibration: the temperature of the probabilities, and bounds that are in force.

    Of a folder, what training would pass over is passed over too, and counted: other endings,
    hidden files, folders of a system.

    A file that is not an image gets a prediction with an `error`. Raises UsageError where a path
    does not exist, an array is not an image, or there are no images.
    """
    images, passed_over = _expanded(items)
    predictions: list[Prediction] = []
    for first in range(0, len(images), _BATCH):
        batch = images[first : first + _BATCH]
        with quietly():
            decoded = [_decoded(image, model.size, model.resize) for image in batch]
        pixels = [image for image in decoded if not isinstance(image, str)]
        answers = iter(
            _answered(model.classes, calibration, _probabilities(model, pixels, calibration))
        )
        for image, result in zip(batch, decoded, strict=True):
            file = str(image) if isinstance(image, Path) else None
            if isinstance(result, str):
                predictions.append(Prediction(file, error=result))
            else:
                predictions.append(replace(next(answers), file=file))
    return Predictions(predictions, passed_over)


def _answered(
    classes: tuple[str, ...],
    calibration: Calibration,
    probabilities: NDArray[np.float32],
) -> list[Prediction]:
    """Return the predictions of probabilities (n, classes), with the bounds of a calibration."""
    if not len(probabilities):
        return []
    values = unknown(probabilities)
    rejected = None if calibration.reject is None else calibration.reject.rejects(values)
    members = None if calibration.sets is None else calibration.sets.members(probabilities)
    found = []
    for k, row in enumerate(probabilities):
        one = Prediction(None, classes, row, unknown=float(values[k]))
        if rejected is not None:
            one = replace(one, rejected=bool(rejected[k]))
        if members is not None:
            order = np.argsort(-row, kind="stable")
            one = replace(one, label_set=tuple(classes[c] for c in order if members[k, c]))
        found.append(one)
    return found


def _probabilities(
    model: Classifier, images: list[NDArray[np.uint8]], calibration: Calibration
) -> NDArray[np.float32]:
    if not images:
        return np.empty((0, 0), np.float32)
    logits = need_finite(model.logits(np.stack(images), np.arange(len(images))))
    return calibration.probabilities(logits)


def _decoded(image: Item, size: SizeLike, resize: Resize) -> NDArray[np.uint8] | str:
    try:
        return decode(image, size, resize=resize, full=True)
    except DataError as error:
        if isinstance(image, np.ndarray):
            raise UsageError(
                error.message, remedy="uint8 pixels of shape (height, width, 3)"
            ) from None
        return error.message


def _expanded(items: Sequence[Item]) -> tuple[list[Item], dict[str, int]]:
    """Return images and files in place of folders, and what is passed over in those."""
    images: list[Item] = []
    passed_over: Counter[str] = Counter()
    for item in items:
        if isinstance(item, Path) and not item.exists():
            raise UsageError(f"there is no file {str(item)!r}")
        if isinstance(item, Path) and item.is_dir():
            with reading():
                inside, others = images_below(item)
            images += inside
            passed_over.update(others)
        else:
            images.append(item)
    if not images:
        raise UsageError(
            "no files to predict",
            found="; ".join(passed_over_sentences(passed_over)) or None,
            remedy="hundredfold predict latest photos/*.jpg",
        )
    return images, dict(passed_over)
