"""The trials of a search, in a journal file of Optuna's in the folder of the study.

A trial is drawn by TPE (Bergstra and others 2011, NeurIPS 24), whose generator is seeded anew for
each trial with the trial's number: a search that goes on after a kill repeats no draw. The first
trial is the recipe itself, moved into the space.

Trials that are worse than others at the same epoch are stopped by successive halving (Li and others
2020, MLSys, arXiv:1810.05934, algorithm 2 without promotion of stopped trials): at the epochs
r, 3 r, 9 r, ... only a trial within the best third of those that have come so far goes on. Each
trial trains by its whole schedule from the start, so that an accuracy of a rung is that of the very
training that would win, and nothing is trained twice. A trial with fewer epochs, resumed with more,
would have another learning rate in every step.
"""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold.errors import DataError, MissingError, pip_install
from hundredfold.studies.search.space import Dimension, Value

REDUCTION = 3
_FIRST = 9  # the first rung is at a ninth of the epochs
_STARTUP = 10  # trials that are drawn at random at most
_LOCK = ".lock"  # Optuna's, beside the file
_STATES = {"COMPLETE": "done", "PRUNED": "stopped", "FAIL": "failed", "RUNNING": "running"}


@dataclass(frozen=True)
class Trial:
    """A trial as the journal has it.

    state:   "running", "done", "stopped" by halving or for lack of time, or "failed".
    values:  option -> value, as a recipe takes them.
    rungs:   epoch -> validation accuracy, at the rungs that it has reached.
    score:   of the finished run, in [0, 1]; None unless done.
    seconds: that it has trained. reason: of its end, "" where it is done.
    """

    number: int
    state: str
    values: Mapping[str, Value]
    rungs: Mapping[int, float]
    score: float | None
    seconds: float
    reason: str


def rungs(epochs: float) -> tuple[int, ...]:
    """Return the epochs at which trials are compared: r, 3 r, 9 r, ... below the last epoch."""
    epoch, found = max(1, math.ceil(epochs / _FIRST)), list[int]()
    while epoch < epochs:
        found.append(epoch)
        epoch *= REDUCTION
    return tuple(found)


def optuna() -> Any:
    """Return the module optuna, silenced. Raises MissingError where it is not installed."""
    try:
        import optuna as module
    except ImportError:
        raise MissingError(
            "tune needs Optuna, which is not installed",
            remedy=pip_install("'hundredfold[tune]'"),
        ) from None
    module.logging.set_verbosity(logging.ERROR)
    return module


class Journal:
    """The journal of a search; only one process may open it at a time.

    path: of its file. space: the dimensions. first: the recipe's own values. at: the rungs.
    planned: number of trials, if known. Raises DataError for a damaged file.
    """

    def __init__(
        self,
        path: Path,
        space: Sequence[Dimension],
        first: Mapping[str, Value],
        at: Sequence[int],
        planned: int | None = None,
    ) -> None:
        self._optuna = optuna()
        self._space = {dimension.option: dimension for dimension in space}
        inside = {d.option: d.nearest(first[d.option]) for d in space if d.option in first}
        self._first = {option: value for option, value in inside.items() if value is not None}
        self._startup = min(_STARTUP, max(3, planned // 4)) if planned else _STARTUP
        self._distributions = {d.option: _distribution(self._optuna, d) for d in space}
        self._pruner = self._optuna.pruners.SuccessiveHalvingPruner(
            min_resource=at[0] if at else 1, reduction_factor=REDUCTION
        )
        _mend(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study = self._opened(path)
        self._recover()

    def _opened(self, path: Path) -> Any:
        journal = self._optuna.storages.journal
        try:
            return self._optuna.create_study(
                storage=journal.JournalStorage(journal.JournalFileBackend(str(path))),
                study_name="search",
                direction="maximize",
                load_if_exists=True,
                pruner=self._pruner,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{str(path)!r} is damaged", found=str(error), remedy="another --name"
            ) from None

    def _recover(self) -> None:
        """End trials that a kill left without all their values; let the recipe itself begin."""
        study = self._study
        for trial in study.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING" and not self._is_whole(trial):
                study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        if not any(self._is_whole(t) or t.state.name == "WAITING" for t in self._raw()):
            study.enqueue_trial({k: self._stored(k, v) for k, v in self._first.items()})

    def ask(self) -> Trial:
        """Draw the next trial, and note it as running."""
        number = len(self._raw())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.sampler = self._optuna.samplers.TPESampler(
                seed=number, n_startup_trials=self._startup
            )
            asked = self._study.ask(self._distributions)
        return self.trial(asked.number)

    def report(self, number: int, epoch: int, accuracy: float) -> bool:
        """Note the accuracy of a trial at a rung; return whether it is to be stopped there."""
        module, study = self._optuna, self._study
        raw = study.get_trials(deepcopy=False)[number]
        if epoch not in raw.intermediate_values:
            module.trial.Trial(study, raw._trial_id).report(accuracy, epoch)
        return bool(self._pruner.prune(study, study.get_trials(deepcopy=False)[number]))

    def end(
        self,
        number: int,
        state: str,
        *,
        score: float | None = None,
        seconds: float = 0.0,
        reason: str = "",
    ) -> None:
        """Note the end of a running trial: "done" with its score, "stopped" or "failed"."""
        names = {mine: name for name, mine in _STATES.items()}
        trial = self._optuna.trial.Trial(self._study, self._raw()[number]._trial_id)
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("reason", reason)
        self._study.tell(number, score, state=self._optuna.trial.TrialState[names[state]])

    def trials(self) -> list[Trial]:
        """Return the trials that have begun, in the order of their numbers."""
        return [self._trial(raw) for raw in self._raw() if self._is_whole(raw)]

    def best(self) -> Trial | None:
        """Return the finished trial with the best score, of equal ones the first."""
        done = [trial for trial in self.trials() if trial.score is not None]
        return max(done, key=lambda t: (t.score or 0.0, -t.number), default=None)

    def trial(self, number: int) -> Trial:
        return self._trial(self._raw()[number])

    def _raw(self) -> list[Any]:
        found: list[Any] = self._study.get_trials(deepcopy=False)
        return found

    def _is_whole(self, raw: Any) -> bool:
        return bool(raw.params.keys() == self._distributions.keys())

    def _trial(self, raw: Any) -> Trial:
        state = _STATES[raw.state.name]
        return Trial(
            raw.number,
            state,
            {key: self._value(key, raw.params[key]) for key in self._space},
            {int(epoch): float(v) for epoch, v in sorted(raw.intermediate_values.items())},
            float(raw.value) if state == "done" else None,
            float(raw.user_attrs.get("seconds", 0.0)),
            str(raw.user_attrs.get("reason", "")),
        )

    def _value(self, option: str, stored: Any) -> Value:
        dimension, first = self._space[option], self._first.get(option)
        if dimension.choices:
            return dimension.choices[int(stored)]
        return first if stored == first else dimension.readable(stored)

    def _stored(self, option: str, value: Value) -> Any:
        """Return a value inside the space as Optuna draws it: a choice by its index."""
        choices = self._space[option].choices
        return choices.index(value) if choices else value


def _distribution(module: Any, dimension: Dimension) -> Any:
    """Return Optuna's distribution; choices are drawn by their index."""
    kinds = module.distributions
    if dimension.choices:
        return kinds.CategoricalDistribution(tuple(range(len(dimension.choices))))
    if dimension.whole:
        return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _mend(path: Path) -> None:
    """Remove what a kill leaves: Optuna's lock, and a half last line, which was never read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + _LOCK).unlink(missing_ok=True)
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
