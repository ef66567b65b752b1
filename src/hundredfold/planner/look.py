"""Look at images before a budget decides how to train on them, without decoding them all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold import data
from hundredfold.data import DataSet, Picture, Source
from hundredfold.errors import DataError
from hundredfold.recipe import Recipe

_SAMPLED = 24  # images whose detail is measured
_LOSES = 0.005  # of an image's variance: what may be lost where half the size loses nothing
_SMALLEST = 32  # pixels


@dataclass(frozen=True)
class Look:
    """What is known of a data set before it is decoded.

    images: in the training part. validation: in a validation part of its own, else 0. side: median
    of the shorter sides in pixels. detail: pixels to which images can be reduced without losing
    detail. decoding: images decoded per second; infinite where they are decoded already.
    """

    images: int
    validation: int
    classes: int
    side: int
    detail: int
    decoding: float
    mirrors: bool

    def __str__(self) -> str:
        rate = "" if np.isinf(self.decoding) else f", decoded at {self.decoding:,.0f} a second"
        return (
            f"{self.images:,} training images in {self.classes:,} classes, {self.side} px with the "
            f"detail of {self.detail} px{rate}"
        )


def look(recipe: Recipe, source: Source, seconds: float) -> Look:
    """Look at a recipe's data set. seconds: for measuring the rate of decoding, at most.

    A test part that is cut off is not looked at. Raises DataError for images that cannot be used.
    """
    if data.is_own_images(recipe.data) and source.folder is not None:
        return _own_images(data.survey(recipe.data.options, source), seconds)
    dataset: DataSet = data.load(recipe.data, source)
    train = dataset.parts["train"]()
    validation = len(dataset.parts["validation"]()) if "validation" in dataset.parts else 0
    rows = np.linspace(0, len(train) - 1, min(_SAMPLED, len(train))).astype(int)
    images = [np.asarray(train.pixels[row]) for row in rows]
    counts = len(train), validation, len(dataset.classes)
    return Look(*counts, dataset.size.side, _detail(images), float("inf"), dataset.mirrors)


def _own_images(survey: data.Survey, seconds: float) -> Look:
    side = max(8, survey.side)
    rate = data.decode_rate(survey, min(side, 224), seconds)
    images = [data.decode(file, min(side, 128), resize=survey.resize) for file in _readable(survey)]
    counts = survey.images("train"), survey.images("validation"), len(survey.classes)
    detail = _detail(images) if images else side
    detail = side if images and detail == images[0].shape[0] else detail
    return Look(*counts, side, detail, rate, mirrors=True)


def _readable(survey: data.Survey) -> list[Picture]:
    files: list[Picture] = []
    for file in survey.sample[:_SAMPLED]:
        try:
            data.decode(file, 8)
        except DataError:
            continue
        files.append(file)
    return files


def _detail(images: list[NDArray[np.uint8]]) -> int:
    """Return the smallest of size, size / 2 ... whose enlargement is almost the image itself."""
    size = int(min(images[0].shape[:2]))
    while size // 2 >= _SMALLEST and _loss(images, size // 2) < _LOSES:
        size //= 2
    return size


def _loss(images: list[NDArray[np.uint8]], size: int) -> float:
    return sum(_lost(image, size) for image in images) / len(images)


def _lost(image: NDArray[np.uint8], size: int) -> float:
    """Return the fraction of an image's variance that a smaller size loses."""
    picture = Image.fromarray(image)
    small = picture.resize((size, size), Image.Resampling.BICUBIC)
    back = np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC), np.float32)
    variance = float(image.astype(np.float32).var())
    return float(np.square(back - image).mean()) / max(variance, 1.0)
