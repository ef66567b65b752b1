"""What an exporter gets: a run with its open network, its calibration, and images to check with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import data
from hundredfold.backbones import BACKBONES, name_of
from hundredfold.calibration import Calibration
from hundredfold.classifier import Classifier
from hundredfold.data import Source, Split
from hundredfold.errors import DataError
from hundredfold.onnx_model import LAYOUT
from hundredfold.run import Run, digests

MOST = 1000  # images that int8 is measured on
CHECKED = 200  # images that every export is checked with
CALIBRATING = 200  # training images that int8 ranges are taken from
_CODE = {"what": "hundredfold, which wrote this file", "license": "Apache-2.0"}


@dataclass(frozen=True)
class Bounds:
    """What an int8 file must hold against the fp32 network.

    min_agreement: fraction of images of the same class. max_drop: of the accuracy.
    """

    min_agreement: float = 0.99
    max_drop: float = 0.005


@dataclass(frozen=True)
class Sample:
    """Images to check an export with: pixels (n, height, width, 3), labels (n,), and the split."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    source: str

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Sample":
        """Return the first images."""
        return Sample(self.pixels[:count], self.labels[:count], self.source)


@dataclass(frozen=True)
class Exported:
    """A file: its content, what was measured on it, and files beside it by their ending."""

    content: bytes
    check: dict[str, Any]
    beside: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A run whose network is open, on the CPU."""

    run: Run
    classifier: Classifier
    calibration: Calibration
    source: Source
    bounds: Bounds = Bounds()

    @cached_property
    def sample(self) -> Sample:
        """Up to `MOST` validation images; of a run without any, training images."""
        train, validation = self._splits
        if len(validation):
            return _sample(validation, MOST, "validation")
        rows = np.setdiff1d(train.indices, train.indices[_spread(len(train), CALIBRATING)])
        rows = rows if len(rows) else train.indices  # very few images serve for both
        chosen = rows[_spread(len(rows), MOST)]
        return Sample(np.asarray(train.pixels[chosen]), train.labels[chosen], "train")

    @cached_property
    def calibrating(self) -> NDArray[np.uint8]:
        """Up to `CALIBRATING` training images, (n, height, width, 3)."""
        train, _ = self._splits
        return _sample(train, CALIBRATING, "train").pixels

    @cached_property
    def weights_sha256(self) -> str:
        return digests.of_file(self.run.weights_to_use()[0])

    @cached_property
    def licenses(self) -> list[dict[str, str]]:
        """What the file consists of that has a licence, where it is known."""
        recipe = self.run.recipe
        name = name_of(recipe.model) if recipe.weights else None
        licence = BACKBONES[name].license if name in BACKBONES else ""
        if not (name and licence):
            return [_CODE]
        return [_CODE, {"what": f"weights that training began with: {name}", "license": licence}]

    def metadata(self, kind: str) -> dict[str, str]:
        """Return the metadata of an ONNX file; every value is text."""
        info, calibration = self.run.info, self.calibration
        facts = {
            "hundredfold": LAYOUT,
            "kind": kind,
            "labels": _text(list(self.classifier.classes)),
            "image_size": str(self.classifier.size),
            "resize": self.classifier.resize,
            "temperature": repr(float(calibration.temperature)),
            "model": str(self.run.recipe.model),
            "recipe_digest": str(info.get("recipe_digest") or self.run.recipe.digest),
            "data_digest": str(info["data"].get("digest", "")),
            "weights_sha256": self.weights_sha256,
            "scores": _text(self.run.scores),
            "license": _text(self.licenses),
        }
        if reject := calibration.reject:
            facts["reject"] = _text({"rule": reject.rule, "threshold": reject.threshold})
        if sets := calibration.sets:
            facts["sets"] = _text({"coverage": sets.coverage, "threshold": sets.threshold})
        return facts

    @cached_property
    def _splits(self) -> tuple[Split, Split]:
        """Return the training and the validation split. Raises DataError for other data."""
        dataset = data.load(self.run.recipe.data, self.source)
        digest = self.run.info["data"]["digest"]
        if dataset.digest != digest:
            raise DataError(
                f"the data are not those that {self.run.name!r} was trained on",
                found=f"digest {dataset.digest[:12]} instead of {digest[:12]}",
                remedy="--data-dir with the original data: an export is checked with its images",
            )
        return data.split(dataset, self.run.recipe)


def _sample(split: Split, most: int, source: str) -> Sample:
    rows = split.indices[_spread(len(split), most)]
    return Sample(np.asarray(split.pixels[rows]), split.labels[rows], source)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` of `count` positions, evenly spread; those of fewer lie among more."""
    order = np.argsort((np.arange(count) * 0.6180339887498949) % 1, kind="stable")
    return np.asarray(order[:most], np.int64)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
