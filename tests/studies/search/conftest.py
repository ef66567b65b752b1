"""A search on a made-up objective: an epoch is a step of a fake executor."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hundredfold.executors import Job, JobProgress, Outcome
from hundredfold.recipe import Recipe
from hundredfold.studies.search.allowance import Limits
from hundredfold.studies.search.journal import Journal, Trial, rungs
from hundredfold.studies.search.record import Record, opened
from hundredfold.studies.search.runner import Search
from hundredfold.studies.search.space import Dimension, Value

SPACE = (
    Dimension("optimizer.lr", 1e-4, 1.0, log=True),
    Dimension("loss.label_smoothing", 0.0, 0.2),
)
FIRST = {"optimizer.lr": 0.001, "loss.label_smoothing": 0.0}
EPOCHS = 9


class Killed(BaseException):
    """The process ends here, as by kill -9."""


def accuracy(values: Mapping[str, Value], epoch: int) -> float:
    """A curve that rises to a best rate of 0.03, with smoothing of no use."""
    import math

    distance = abs(math.log10(values["optimizer.lr"]) + 1.5)
    return (0.9 - 0.2 * distance) * (1 - 0.5**epoch)


@dataclass
class Runs:
    """Stands for the folders of trials: what each has trained, and whether it has weights."""

    curves: dict[int, list[dict[str, float]]] = field(default_factory=dict)
    values: dict[int, Mapping[str, Value]] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    won: list[int] = field(default_factory=list)
    weights: set[int] = field(default_factory=set)
    most_weights: int = 0

    @property
    def untuned(self) -> Any:
        recipe = Recipe().override({"epochs": EPOCHS})
        return type("Untuned", (), {"recipe": recipe})()

    def job(self, number: int, values: Mapping[str, Value]) -> Job:
        self.values[number] = values
        return Job(Path(str(number)))

    def run(self, number: int) -> Any:
        return type("Run", (), {"curve": self.curves.get(number, []), "info": {}})()

    def wait(self, number: int) -> None: ...

    def ended(self, number: int) -> str:
        return "done" if len(self.curves.get(number, [])) == EPOCHS else ""

    def score(self, number: int) -> float:
        return self.curves[number][-1]["validation.top_1"]

    def seconds(self, number: int) -> float:
        return float(len(self.curves.get(number, [])))

    def lose(self, number: int, reason: str = "") -> None:
        self.lost[number] = reason
        self.weights.discard(number)

    def win(self, number: int) -> None:
        self.won.append(number)

    def train(self, number: int) -> None:
        curve = self.curves.setdefault(number, [])
        epoch = len(curve) + 1
        row = {"epoch": epoch, "seconds": float(epoch)}
        curve.append(row | {"validation.top_1": accuracy(self.values[number], epoch)})
        self.weights.add(number)
        self.most_weights = max(self.most_weights, len(self.weights))


@dataclass
class Steps:
    """An executor that trains every running job by one epoch in each step.

    outcome: of a job, instead of what its curve says; kill_at: step at which it is killed.
    """

    runs: Runs
    slots: int = 1
    kill_at: int = -1
    outcome: Callable[[int], Outcome | None] = lambda _: None
    at_once: int = 0
    step: int = 0

    def outcomes(
        self,
        jobs: Mapping[int, Job],
        watch: Callable[[Mapping[int, JobProgress]], Collection[int]],
        more: Callable[[], Mapping[int, Job]],
    ) -> Iterator[tuple[int, Outcome]]:
        waiting, running = list(jobs), list[int]()
        while True:
            while len(running) < self.slots:
                waiting = waiting or list(more())
                if not waiting:
                    break
                running.append(waiting.pop(0))
            if not running:
                return
            self.at_once = max(self.at_once, len(running))
            self.tick()
            for number in running:
                self.runs.train(number)
            self.tick()
            progress = {n: JobProgress(curve=tuple(self.runs.curves[n])) for n in running}
            stopped = set(watch(progress))
            self.tick()
            for number in list(running):
                told = self.outcome(number)
                if told or number in stopped or self.runs.ended(number):
                    running.remove(number)
                    yield number, told or Outcome(143 if number in stopped else 0, {}, "")
                    self.tick()

    def tick(self) -> None:
        self.step += 1
        if self.step == self.kill_at:
            raise Killed


@dataclass
class Made:
    """Opens a search in a folder, as each command does."""

    folder: Path
    runs: Runs
    trials: int | None = 12
    budget: float | None = None

    def journal(self) -> Journal:
        return Journal(self.folder / "search.journal", SPACE, FIRST, rungs(EPOCHS), self.trials)

    def record(self) -> Record:
        return opened(self.folder, {"trials": self.trials}, {}, here=False)

    def search(self, slots: int = 1) -> Search:
        limits = Limits(self.budget, self.trials, slots, slots)
        runs: Any = self.runs
        return Search(self.journal(), runs, self.record(), limits, rungs(EPOCHS), None)

    def carry_out(self, steps: Steps) -> Trial:
        executor: Any = steps
        return self.search(steps.slots).run(executor)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    pytest.importorskip("optuna", reason="the extra tune is not installed")
    return Made(tmp_path, Runs())
