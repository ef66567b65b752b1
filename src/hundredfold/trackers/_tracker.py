"""The protocol of a tracker, and what all of them log of a run."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Protocol

from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.run import Run

PROJECT = "hundredfold"
_FACTS = ("parameters", "macs", "device", "precision", "threads", "steps_per_epoch")


class Tracker(Protocol):
    """One run in an experiment tracker."""

    def epoch(self, row: Mapping[str, float]) -> None:
        """Log a row of the curve at its epoch."""
        ...

    def end(self, status: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
        """Log the scores of scores.json, and close. status: done, stopped or failed."""
        ...


def settings(run: Run) -> dict[str, Any]:
    """Return the recipe's fields with every default, as text or numbers, and facts of the run."""
    fields = {
        key: value
        for key, value in run.stated[1].items()
        if isinstance(value, str | int | float) and value != ""
    }
    info = run.info
    facts = {key: info[key] for key in _FACTS if info.get(key) is not None}
    return fields | {f"run.{key}": value for key, value in facts.items()}


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a row as "train/loss", without the epoch."""
    return {
        key.replace(".", "/"): float(value)
        for key, value in row.items()
        if key != "epoch" and isinstance(value, int | float) and math.isfinite(value)
    }


def score_numbers(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the scores with their intervals: "score/validation.top_1", and /low and /high."""
    named = {}
    for key, score in scores.items():
        for part, end in (("value", ""), ("low", "/low"), ("high", "/high")):
            if score.get(part) is not None:
                named[f"score/{key}{end}"] = float(score[part])
    return named


def identity(run: Run) -> str:
    """Return 16 hex digits that a run keeps when it is resumed, and no other run has."""
    info = run.info
    text = f"{run.name} {info.get('started', '')} {info.get('recipe_digest', '')}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_offline() -> bool:
    """Return whether HUNDREDFOLD_OFFLINE forbids the network."""
    return Source().offline


def need_network(server: str) -> None:
    """Raise UsageError where a tracker's settings name a server and the network is forbidden."""
    if is_offline():
        raise UsageError(f"HUNDREDFOLD_OFFLINE forbids the network, and {server} is a server")
