"""What the exhibits are made from: a run, or a study and its runs, as they lie on disk.

A recipe is read as plain values, so that a run still has a report when the part it names
has since been renamed.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import Source
from hundredfold.errors import DataError
from hundredfold.metrics.tables.confusion import confusion
from hundredfold.reports._html import Markup
from hundredfold.run import Run


@dataclass(frozen=True)
class Exhibit:
    """One part of a page: a heading, what stands under it, and drawings to keep as files.

    figures: name of the file without ".svg" -> the drawing.
    """

    title: str
    body: Markup
    figures: Mapping[str, Markup] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """A run as its exhibits see it; each file is read once, when it is first asked for."""

    run: Run
    source: Source

    @cached_property
    def info(self) -> dict[str, Any]:
        return self.run.info

    @cached_property
    def recipe_text(self) -> str:
        return (self.run.folder / "recipe.toml").read_text(encoding="utf-8")

    @cached_property
    def recipe(self) -> dict[str, Any]:
        return tomllib.loads(self.recipe_text)

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
        """The split whose logits are shown: test once it was opened, else validation."""
        for name in ("test", "validation"):
            if self.run.logits(name) is not None and self.run.labels(name) is not None:
                return name
        return None

    @cached_property
    def logits(self) -> NDArray[np.float32]:
        """Logits (n, classes) of `split`; no rows where nothing is stored."""
        stored = self.run.logits(self.split) if self.split else None
        return np.zeros((0, len(self.classes)), np.float32) if stored is None else stored

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        stored = self.run.labels(self.split) if self.split else None
        return np.zeros(0, np.int64) if stored is None else stored

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often an image of class `row` was taken for class `column`."""
        return confusion(self.logits, self.labels)

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.info.get("data") or {})

    @property
    def kept_none(self) -> bool:
        """Whether all images were trained on, so that nothing of a run is of validation."""
        return self.data.get("validation") == 0

    @property
    def place(self) -> Source:
        """Where the images lie: as asked, else as in training; the network is never used."""
        folder = self.source.folder or self.data.get("folder")
        return replace(self.source, folder=Path(folder) if folder else None, offline=True)

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
        """Classes in the order of a matrix: superclass by superclass where there are any."""
        places = range(len(self.classes))
        return (
            sorted(places, key=lambda k: (self.superclass_of[k], k))
            if self.superclass_of
            else [*places]
        )

    @property
    def looks(self) -> int:
        return int(self.info.get("test_evaluations") or 0)

    @property
    def title(self) -> str:
        """The recipe's title, else what was trained on what."""
        untitled = f"{self.recipe.get('model', '?')} on {self.data.get('name', '?')}"
        return str(self.recipe.get("title") or untitled)

    def score(self, metric: str, split: str | None = None) -> Mapping[str, float]:
        """Return value, low, high and n of a score of a split, or {} where there is none."""
        return self.scores.get(f"{split or self.split}.{metric}", {})


@dataclass(frozen=True)
class Member:
    """A run in a study: the variant it belongs to, and its seed."""

    label: str
    seed: int
    evidence: Evidence


@dataclass(frozen=True)
class StudyEvidence:
    """A study's folder as its exhibits see it."""

    folder: Path
    source: Source

    @cached_property
    def stored(self) -> dict[str, Any]:
        return _read(self.folder / "study.json")

    @cached_property
    def comparison(self) -> dict[str, Any]:
        """comparison.json, or {} before anything was compared."""
        path = self.folder / "comparison.json"
        return _read(path) if path.exists() else {}

    @cached_property
    def members(self) -> list[Member]:
        """The runs that are there; a run that was moved away is left out."""
        found = []
        for entry in self.stored.get("members", ()):
            run = Run(self.folder.parent / str(entry["run"]))
            if (run.folder / "recipe.toml").is_file() and (run.folder / "run.json").is_file():
                evidence = Evidence(run, self.source)
                found.append(Member(str(entry["label"]), int(entry["seed"]), evidence))
        return found

    @cached_property
    def values(self) -> dict[str, dict[int, float]]:
        """The study's metric of each variant and seed that has one."""
        found: dict[str, dict[int, float]] = {label: {} for label in self.labels}
        for member in self.members:
            value = member.evidence.scores.get(self.metric, {}).get("value")
            if value is not None:
                found[member.label][member.seed] = float(value)
        return found

    @cached_property
    def gone(self) -> list[str]:
        """Names of member runs whose folders are not there."""
        here = {member.evidence.run.folder.name for member in self.members}
        return [str(m["run"]) for m in self.stored.get("members", ()) if m["run"] not in here]

    @cached_property
    def labels(self) -> list[str]:
        """The variants, in the study's order."""
        return list(dict.fromkeys(member.label for member in self.members))

    @cached_property
    def left_out(self) -> list[str]:
        """The variants of which no run is compared."""
        absent = (str(entry.get("label", "?")) for entry in self.stored.get("left_out", ()))
        return [label for label in dict.fromkeys(absent) if label not in self.labels]

    @property
    def reference(self) -> dict[str, Any]:
        """Figures from elsewhere: "values", label -> value, and "source"; {} where none are."""
        return dict(self.stored.get("reference") or {})

    def of(self, label: str) -> list[Evidence]:
        return [member.evidence for member in self.members if member.label == label]

    @property
    def title(self) -> str:
        return str(self.stored.get("title") or self.folder.name)

    @property
    def metric(self) -> str:
        return str(self.stored.get("metric") or "validation.top_1")


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"cannot read {str(path)!r}", found=str(error)) from None
