"""search.json: what a search was asked for, how far it is, and what it found."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hundredfold import files
from hundredfold.errors import UsageError
from hundredfold.run import plain, reading
from hundredfold.studies.search.energy import Meter
from hundredfold.studies.search.importance import Importance
from hundredfold.studies.search.journal import Trial

FILE = "search.json"
_EVERY = 5.0  # seconds between two records of the time


@dataclass
class Record:
    """The record of a search; `spent` and energy go on from what is stored.

    asked:  what a search may not change while it goes on: recipe, data, space, trials, budget.
    about:  facts for the page: title, epochs, rungs, the space, the recipe's own values.
    status: "searching", "comparing" or "done". seeds: of the comparison, 0 while searching.
    meter:  of energy; None where trials run elsewhere.
    """

    folder: Path
    asked: dict[str, Any]
    about: dict[str, Any]
    meter: Meter | None = None
    status: str = "searching"
    seeds: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    importance: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._before, self._since, self._written = 0.0, time.monotonic(), -_EVERY
        self._last: Sequence[Trial] = ()

    @property
    def spent(self) -> float:
        """Seconds that the commands of this search have taken so far."""
        return self._before + time.monotonic() - self._since

    @property
    def shown(self) -> Sequence[Trial]:
        """The trials that were last written."""
        return self._last

    def take(self, importances: Sequence[Importance]) -> None:
        self.importance = [asdict(one) for one in importances]

    def write(self, trials: Sequence[Trial]) -> None:
        """Write the file, with the trials as they are."""
        self._last, self._written = trials, time.monotonic()
        joules = self.meter.read() if self.meter else {}
        facts = {
            "status": self.status,
            "asked": self.asked,
            **self.about,
            "spent": round(self.spent, 1),
            "energy": {name: round(value, 1) for name, value in joules.items()},
            "seeds": self.seeds,
            "trials": [_trial(trial) for trial in trials],
            "importance": self.importance,
            "result": self.result,
        }
        files.write_json(self.folder / FILE, facts)

    def tick(self) -> None:
        """Write the file where it is some seconds old."""
        if time.monotonic() - self._written >= _EVERY:
            self.write(self._last)


def folder_of(trial: int) -> str:
    """Return the name of a trial's run."""
    return f"trial-{trial:03}"


def opened(folder: Path, asked: dict[str, Any], about: dict[str, Any], *, here: bool) -> Record:
    """Return the record of a search, which goes on where its folder has one.

    here: whether the trials run on this machine, so that its energy is theirs.

    Raises UsageError where the folder's search was asked for something else.
    """
    if not plain.exists(folder / FILE):
        if plain.exists(folder / "study.json"):
            raise UsageError(
                f"{str(folder)!r} is a study, which no search has made", remedy="another --name"
            )
        return Record(folder, asked, about, Meter() if here else None)
    stored = reading.search(folder)
    for key, value in asked.items():
        before = stored["asked"].get(key)
        if before != value:
            raise UsageError(
                f"the search {folder.name!r} was begun with other options",
                found=f"{key} was {_short(before)}, and is {_short(value)}",
                remedy="the same options, or another --name",
            )
    meter = Meter(stored.get("energy") or {}) if here else None
    record = Record(folder, asked, about, meter, stored["status"], stored.get("seeds", 0))
    record.result, record.importance = stored.get("result", {}), stored.get("importance", [])
    record._before = float(stored.get("spent", 0.0))
    return record


def _short(value: Any) -> str:
    return "not set" if value is None else str(value)[:120]


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "run": folder_of(trial.number),
        "state": trial.state,
        "values": dict(trial.values),
        "epochs": max(trial.rungs, default=0),
        "accuracy": max(trial.rungs.items())[1] if trial.rungs else None,
        "score": trial.score,
        "seconds": round(trial.seconds, 1),
        "reason": trial.reason,
    }
