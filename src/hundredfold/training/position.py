"""The position of a training, and a clock."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hundredfold.errors import DataError


@dataclass
class Position:
    """Position: `step` steps into `epoch` (from 0), and sums so far.

    recipe: digest of the recipe. steps_per_epoch: batches per epoch.
    steps: in all epochs together; a time budget may change it.
    loss, correct: sums over the steps of this epoch. seconds: of training; waited: for batches;
    saving: for saves. curve: contents of curve.jsonl. best: epoch and value of the best epoch.
    micro_batch: images per forward pass, smaller than the recipe's after memory ran out.
    """

    recipe: str
    steps: int
    steps_per_epoch: int
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    correct: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    saving: float = 0.0
    curve: str = ""
    micro_batch: int = 0
    best: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Steps so far; a shortened last epoch counts as a whole one once it has ended."""
        return self.epoch * self.steps_per_epoch + self.step

    @property
    def finished(self) -> bool:
        """Whether no step remains and the last epoch has been validated."""
        return not self.step and self.done >= self.steps

    @property
    def epochs(self) -> int:
        """Total number of epochs, a shortened last one included."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def progress(self, more: int = 0) -> float:
        """Return the fraction of all steps that are done, or will be after `more` steps."""
        return min(1.0, (self.done + more) / max(self.steps, 1))

    def step_seed(self, seed: int) -> int:
        """Return the seed of the next step's random numbers."""
        return step_seed(seed, self.epoch, self.step)

    def start_next_epoch(self) -> None:
        """Move to the first step of the next epoch."""
        self.epoch += 1
        self.step, self.loss, self.correct = 0, 0.0, 0.0


def need_possible(
    facts: Mapping[str, Any], steps_per_epoch: int, epochs: float, *, fixed: bool
) -> None:
    """Raise DataError for the position of a save that a training cannot have.

    fixed: whether the number of steps follows from the epochs, as it does without a time budget.
    """
    try:
        position = Position(**facts)
    except TypeError:
        raise _impossible("it lacks some fields, or has others") from None
    if position.steps_per_epoch != steps_per_epoch:
        raise _impossible(f"{position.steps_per_epoch} steps an epoch, not {steps_per_epoch}")
    steps = total_steps(epochs, steps_per_epoch)
    if fixed and position.steps != steps:
        raise _impossible(f"{position.steps} steps, and the recipe has {steps}")
    if position.step > position.steps_per_epoch or position.epoch > position.epochs:
        raise _impossible(f"step {position.step} of epoch {position.epoch}")
    if position.best and position.best.keys() != {"epoch", "value"}:
        raise _impossible("a best epoch without its score")


def _impossible(found: str) -> DataError:
    remedy = "train again under another --name"
    return DataError("the saved state is not one of this training", found=found, remedy=remedy)


def total_steps(epochs: float, steps_per_epoch: int) -> int:
    """Return the number of steps in some epochs, at least 1; 0 epochs have none."""
    return max(1, round(epochs * steps_per_epoch)) if epochs else 0


def step_seed(seed: int, epoch: int, step: int) -> int:
    """Return the seed of a step's random numbers, in [0, 2**63)."""
    return int(np.random.SeedSequence((seed, epoch, step)).generate_state(1, np.uint64)[0]) >> 1


class Clock:
    """A clock of the seconds since the last reading."""

    def __init__(self) -> None:
        self._read = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds since the last call, or since the start."""
        before, self._read = self._read, time.monotonic()
        return self._read - before
