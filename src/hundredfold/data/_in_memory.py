"""Convert images in memory to labelled images: arrays, a DataFrame, a torch Dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold.data._image import Picture
from hundredfold.data._types import InMemory, Labelled
from hundredfold.errors import DataError, UsageError, did_you_mean
from hundredfold.paths import expanded
from hundredfold.size import PlainSize

_PARTS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
          "validation": "validation", "test": "test", "testing": "test"}  # fmt: skip
_FORMS = "(images, labels), a DataFrame with image and label, or a Dataset of (image, label)"
Images: TypeAlias = NDArray[np.uint8] | list[Picture]


@runtime_checkable
class Indexed(Protocol):
    """A pair of arrays, a DataFrame, a torch Dataset, or a dictionary of parts of these."""

    def __getitem__(self, key: Any, /) -> Any: ...


def in_memory(
    data: Indexed, classes: Sequence[str] | None = None, part: str = "train", size: PlainSize = 0
) -> InMemory:
    """Check images and labels in memory, and return them as parts.

    data: a pair of uint8 images (n, height, width, 3) and n integers or names; a DataFrame with
        the columns `image` (paths, PIL images or arrays) and `label`; a torch Dataset of
        (image, label); or a dictionary of these, {"train": ..., "test": ...}.
    classes: the class names of a run; None takes the sorted values of the labels.
    part: the part that `data` is where it is not a dictionary.
    size: of a run's images in pixels; 0 leaves it to `arrays`.

    Raises UsageError for an unsupported type, and DataError for images or labels that are wrong.
    """
    parts = _parts(data) if isinstance(data, Mapping) else {part: data}
    contents = {name: _read(value) for name, value in parts.items()}
    names = tuple(classes) if classes else _classes(parts, {n: v for n, (_, v) in contents.items()})
    if len(names) < 2:
        raise DataError("all labels are of one class", found=f"{names[0]!r}", remedy="two or more")
    labelled = {
        name: Labelled(images, _rows(values, names)) for name, (images, values) in contents.items()
    }
    return InMemory(labelled, names, size)


def _parts(data: Mapping[str, Any]) -> dict[str, Any]:
    for name in data:
        if name not in _PARTS:
            raise UsageError(f"data have no part {name!r}", remedy=did_you_mean(str(name), _PARTS))
    return {_PARTS[name]: value for name, value in data.items()}


def _read(data: Any) -> tuple[Images, NDArray[Any]]:
    """Return the images and their labels, not yet converted to class indices."""
    if hasattr(data, "columns"):
        images, labels = _columns(data)
    elif isinstance(data, tuple | list):
        if len(data) != 2:
            raise UsageError(f"data of {len(data)} values cannot be read", remedy=_FORMS)
        images, labels = _images(data[0]), _labels(data[1])
    elif hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        images, labels = _items(data)
    else:
        raise UsageError(f"data of the type {type(data).__name__} cannot be read", remedy=_FORMS)
    if len(images) != len(labels):
        raise DataError(f"there are {len(images):,} images and {len(labels):,} labels")
    if not len(images):
        raise DataError("there are no images")
    return images, labels


def _columns(frame: Any) -> tuple[Images, NDArray[Any]]:
    for name in ("image", "label"):
        if name not in frame.columns:
            columns = ", ".join(map(str, frame.columns))
            raise UsageError(f"the table has no column {name!r}", found=f"columns {columns}")
    if frame["label"].isna().any():
        raise DataError(f"{int(frame['label'].isna().sum()):,} rows of the table have no label")
    return [_picture(image, row) for row, image in enumerate(frame["image"])], _labels(
        frame["label"].to_numpy()
    )


def _items(dataset: Any) -> tuple[Images, NDArray[Any]]:
    pairs = [dataset[row] for row in range(len(dataset))]
    for row, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError(f"item {row} of the data set is not a pair of image and label")
    images = [_picture(image, row) for row, (image, _) in enumerate(pairs)]
    if len({getattr(image, "shape", None) for image in images} - {None}) == 1 and all(
        isinstance(image, np.ndarray) for image in images
    ):
        return np.stack(images), _labels([label for _, label in pairs])  # type: ignore[arg-type]
    return images, _labels([label for _, label in pairs])


def _images(images: Any) -> Images:
    if isinstance(images, list) and images and not isinstance(images[0], list | int):
        return [_picture(image, row) for row, image in enumerate(images)]
    pixels = np.asarray(images)
    shape = " x ".join(map(str, pixels.shape))
    if pixels.dtype != np.uint8:
        remedy = "pixels of 0 to 255: (255 * images).round().astype('uint8') where they are in 0..1"
        raise DataError(f"images are {pixels.dtype}, and must be uint8", remedy=remedy)
    if pixels.ndim == 4 and pixels.shape[1] == 3 and pixels.shape[3] != 3:
        remedy = "images.transpose(0, 2, 3, 1), or permute for a tensor"
        raise DataError(f"images are {shape}, with channels first", remedy=remedy)
    if pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] == 1):
        remedy = "three channels: np.repeat(images.reshape(*images.shape[:3], 1), 3, axis=-1)"
        raise DataError(f"images are {shape}, without colour", remedy=remedy)
    if pixels.ndim != 4 or pixels.shape[3] != 3 or 0 in pixels.shape[1:]:
        raise DataError(f"images are {shape}, and must be (n, height, width, 3)")
    return pixels


def _picture(image: Any, row: int) -> Picture:
    """Return an image as `decode` accepts it: a path, a PIL image or uint8 channels-last pixels."""
    if isinstance(image, str):
        return expanded(image)
    if isinstance(image, Path | bytes | Image.Image):
        return image
    pixels = np.asarray(image)
    if hasattr(image, "permute") and pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        pixels = pixels.transpose(1, 2, 0)  # a torch tensor of one image
    if pixels.dtype != np.uint8:
        raise DataError(
            f"image {row} is {pixels.dtype}, and must be a path, a PIL image or uint8 pixels",
            remedy="without ToTensor and Normalize: scaling is the model's first layer",
        )
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2:] == (1,) else pixels


def _labels(labels: Any) -> NDArray[Any]:
    values = np.asarray(labels)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.ndim != 1:
        shape = " x ".join(map(str, values.shape)) or "a single value"
        remedy = "labels.argmax(1) where they are one-hot" if values.ndim == 2 else None
        raise DataError(f"labels are {shape}, and must be one a image", remedy=remedy)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"{int((~np.isfinite(values)).sum()):,} labels are not finite")
    if values.dtype.kind not in "iuU" and len(values):
        kind = "of several types" if values.dtype.kind == "O" else str(values.dtype)
        remedy = "labels.astype(int)" if values.dtype.kind in "fb" else None
        raise DataError(f"labels are {kind}, and must be whole numbers or names", remedy=remedy)
    return values


def _classes(parts: Mapping[str, Any], labels: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Return the class names: the Dataset's `classes` if any, else the sorted label values."""
    first = labels.get("train", next(iter(labels.values())))
    class_names = getattr(parts.get("train"), "classes", None)
    numbers = first.dtype.kind in "iu" and first.min() >= 0
    if isinstance(class_names, list | tuple) and numbers and first.max() < len(class_names):
        return tuple(map(str, class_names))
    return tuple(str(value) for value in np.unique(first))


def _rows(values: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the class index of each label, (n,)."""
    position = {name: row for row, name in enumerate(names)}
    distinct, inverse = np.unique(values, return_inverse=True)
    numbers = values.dtype.kind in "iu" and not any(name.lstrip("-").isdecimal() for name in names)
    rows = [int(v) if numbers else position.get(str(v), -1) for v in distinct]
    for value, row in zip(distinct, rows, strict=True):
        if not 0 <= row < len(names):
            classes = f"classes {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
            raise DataError(f"there is no class of the label {str(value)!r}", found=classes)
    return np.asarray(rows, np.int64)[inverse]
