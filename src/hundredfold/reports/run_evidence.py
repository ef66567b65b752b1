"""The data of a run for its exhibits: the files of its folder, each read once.

A recipe is read as plain values, so that a run has a report even if a part in it has been
renamed since.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hundredfold import calibration
from hundredfold.calibration import Calibration
from hundredfold.data import Source
from hundredfold.metrics.tables.confusion import confusion
from hundredfold.run import Run

# images (height, width, 3) at the network's size, and a class for each -> maps of what mattered
# (rows, columns), for as many images as the time allows
Explain: TypeAlias = Callable[
    [Sequence[NDArray[np.uint8]], Sequence[int]], Sequence[NDArray[np.float64]]
]


@dataclass(frozen=True)
class RunEvidence:
    """The data of a run for its exhibits; each file is read once, on first access.

    explain: computes maps with the run's network; without it there are none.
    """

    run: Run
    source: Source
    explain: Explain | None = None

    @cached_property
    def info(self) -> dict[str, Any]:
        return self.run.info

    @cached_property
    def recipe_text(self) -> str:
        return self.run.stated[0]

    @cached_property
    def recipe(self) -> dict[str, Any]:
        return self.run.stated[1]

    @cached_property
    def curve(self) -> list[dict[str, float]]:
        return self.run.curve

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        return self.run.scores

    @cached_property
    def summary(self) -> dict[str, Any]:
        return self.run.summary

    @cached_property
    def split(self) -> str | None:
        """The split whose logits are shown: test if it has been evaluated, else validation."""
        for name in ("test", "validation") if self.classes else ():
            if self.run.logits(name) is not None and self.run.labels(name) is not None:
                return name
        return None

    @cached_property
    def logits(self) -> NDArray[np.float32]:
        """Logits (n, classes) of `split`; n = 0 if none are stored."""
        stored = self.run.logits(self.split) if self.split else None
        return np.zeros((0, len(self.classes)), np.float32) if stored is None else stored

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        stored = self.run.labels(self.split) if self.split else None
        return np.zeros(0, np.int64) if stored is None else stored

    @cached_property
    def calibration(self) -> Calibration:
        """Temperature and bounds; temperature 1 where validation has not been scored."""
        return calibration.of(self.run)

    def is_of_weights(self, found: Mapping[str, Any]) -> bool:
        """Return whether an evaluation is of the weights of its split's stored logits."""
        known = self.run.scored(str(found["split"])).get("weights", "")
        return not known or bool(found.get("weights", "") == known)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The confusion matrix (classes, classes): rows are true, columns predicted classes."""
        return confusion(self.logits, self.labels)

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.info.get("data") or {})

    @property
    def kept_none(self) -> bool:
        """Whether all images were trained on, so that there is no validation split."""
        return self.data.get("validation") == 0

    @property
    def images(self) -> Source:
        """The source of the images: as requested, else as in training; never downloaded."""
        return replace(self.source.as_before(self.data), offline=True)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.data.get("classes") or ())

    @property
    def superclasses(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.data.get("superclasses") or ())

    @property
    def superclass_of(self) -> tuple[int, ...]:
        return tuple(self.data.get("superclass_of") or ())

    @cached_property
    def order(self) -> list[int]:
        """The order of classes in the matrix: by superclass, if there are superclasses."""
        classes = range(len(self.classes))
        if not self.superclass_of:
            return [*classes]
        return sorted(classes, key=lambda k: (self.superclass_of[k], k))

    @property
    def test_evaluations(self) -> int:
        """How often the test split was scored."""
        return int(self.info.get("test_evaluations") or 0)

    @property
    def title(self) -> str:
        """The recipe's title, else its model and data."""
        untitled = f"{self.recipe.get('model', '?')} on {self.data.get('name', '?')}"
        return str(self.recipe.get("title") or untitled)

    def score(self, metric: str, split: str | None = None) -> Mapping[str, float]:
        """Return value, low, high and n of a metric on a split, or {} if it has no score."""
        return self.scores.get(f"{split or self.split}.{metric}", {})
