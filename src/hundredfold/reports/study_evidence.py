"""The data of a study for its exhibits: its folder, its variants and their runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hundredfold import metrics, wording
from hundredfold.data import Source
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.run import Run, plain, reading


@dataclass(frozen=True)
class Member:
    """A run in a study: its variant, its seed, and its fold of cross-validation (0 without).

    unit: what is paired with the same of other variants, the seed or the fold of a seed.
    """

    label: str
    seed: int
    fold: int
    unit: int
    evidence: RunEvidence


@dataclass(frozen=True)
class StudyEvidence:
    """The data of a study for its exhibits; each file is read once, on first access."""

    folder: Path
    source: Source

    @cached_property
    def stored(self) -> dict[str, Any]:
        return reading.study(self.folder)

    @cached_property
    def comparison(self) -> dict[str, Any]:
        """comparison.json, or {} if it does not exist yet."""
        there = plain.exists(self.folder / "comparison.json")
        return reading.comparison(self.folder) if there else {}

    @cached_property
    def search(self) -> dict[str, Any]:
        """search.json of a study that `tune` has made; {} of any other."""
        return reading.search(self.folder) if plain.exists(self.folder / "search.json") else {}

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The trials of its search, in their order."""
        return list(self.search.get("trials") or ())

    def trial_curve(self, trial: dict[str, Any]) -> list[dict[str, float]]:
        """Return the curve of a trial's run; [] where the run is gone."""
        run = Run(plain.need_folder(self.folder / "trials", str(trial["run"])))
        return run.curve if run.folder.is_dir() else []

    @cached_property
    def members(self) -> list[Member]:
        """The existing runs of the study; a missing folder is left out."""
        members = []
        for entry in self.stored.get("members", ()):
            run = Run(plain.need_folder(self.folder.parent, str(entry["run"])))
            if all(plain.exists(run.folder / name) for name in ("recipe.toml", "run.json")):
                evidence = RunEvidence(run, self.source)
                seed, fold = int(entry["seed"]), int(entry.get("fold", 0))
                unit = seed * max(self.folds, 1) + fold
                members.append(Member(str(entry["label"]), seed, fold, unit, evidence))
        return members

    @cached_property
    def values(self) -> dict[str, dict[int, float]]:
        """Label -> unit of a member -> the study's metric, where a run has one."""
        values: dict[str, dict[int, float]] = {label: {} for label in self.labels}
        for member in self.members:
            value = member.evidence.scores.get(self.metric, {}).get("value")
            if value is not None:
                values[member.label][member.unit] = float(value)
        return values

    @property
    def folds(self) -> int:
        """Number of folds of cross-validation; 0 without."""
        return int(self.stored.get("folds") or 0)

    @property
    def units(self) -> str:
        """What a variant is trained with: "seed", or "fold" with cross-validation."""
        return "fold" if self.folds else "seed"

    def unit_words(self, unit: int) -> str:
        """Return a member's unit as "seed 0" or "seed 0, fold 3"."""
        if not self.folds:
            return f"seed {unit}"
        return f"seed {unit // self.folds}, fold {unit % self.folds}"

    @cached_property
    def gone(self) -> list[str]:
        """Names of member runs whose folders are missing."""
        here = {member.evidence.run.folder.name for member in self.members}
        return [str(m["run"]) for m in self.stored.get("members", ()) if m["run"] not in here]

    @cached_property
    def labels(self) -> list[str]:
        """The variants, in the study's order."""
        return list(dict.fromkeys(member.label for member in self.members))

    @cached_property
    def left_out(self) -> list[str]:
        """The variants without a compared run."""
        absent = (str(entry.get("label", "?")) for entry in self.stored.get("left_out", ()))
        return [label for label in dict.fromkeys(absent) if label not in self.labels]

    @property
    def reference(self) -> dict[str, Any]:
        """Published figures: "values", label -> value, and "source"; {} without any."""
        return dict(self.stored.get("reference") or {})

    def of(self, label: str) -> list[RunEvidence]:
        return [member.evidence for member in self.members if member.label == label]

    def colour(self, label: str) -> int:
        """Return the colour index of a variant: its index in the study."""
        return self.labels.index(label) if label in self.labels else len(self.labels)

    @property
    def title(self) -> str:
        return str(self.stored.get("title") or self.folder.name)

    @property
    def metric(self) -> str:
        return str(self.stored.get("metric") or "validation.top_1")

    @property
    def metric_words(self) -> str:
        """The name of the metric in sentences, "validation top-1 accuracy"."""
        return metrics.words(self.metric)

    @property
    def percent(self) -> bool:
        """Whether the metric is printed in percent."""
        return bool(self.comparison.get("percent", True))

    @property
    def unit(self) -> str:
        return " %" if self.percent else ""

    def text(self, value: Any, *, with_unit: bool = True) -> str:
        """Return a value of the metric as text: 0.512 as "51.20 %"."""
        if not wording.finite(value):
            return wording.NOTHING
        if not self.percent:
            return f"{value:.4g}"
        return f"{100 * value:.2f}{self.unit if with_unit else ''}"


def mean(values: Sequence[Any]) -> float | None:
    """Return the mean of the values that are finite numbers, or None without any."""
    numbers = [float(value) for value in values if wording.finite(value)]
    return sum(numbers) / len(numbers) if numbers else None
