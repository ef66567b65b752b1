"""When a training is saved, and what a save holds beside the tensors."""

import time
from dataclasses import asdict

from hundredfold.errors import CheckError
from hundredfold.run import Run, need_room
from hundredfold.training import checkpoint
from hundredfold.training.early_stopping import Best
from hundredfold.training.position import Position
from hundredfold.training.protocols import Learner

WITHIN_EPOCH = 60.0  # seconds between saves in the middle of an epoch, at least
SHARE_OF_TIME = 0.01  # that saving may take: the next save waits until the last has paid off


class Saves:
    """Writes saves of a training into its run.

    remedy: the command that resumes the run, for what is said where a save fails.
    """

    def __init__(self, run: Run, remedy: str) -> None:
        self._folder, self._remedy = run.folder / "state", remedy
        self._last = time.monotonic()
        self._cost = 0.0
        self._at = (-1, -1)  # epoch and step of the newest save

    def due(self, least: float = 0.0) -> bool:
        """Tell whether the last save is so long ago that another one costs little."""
        return time.monotonic() - self._last > max(least, self._cost / SHARE_OF_TIME)

    def is_saved(self, position: Position) -> bool:
        """Tell whether the newest save is of this position."""
        return self._at == (position.epoch, position.step)

    def write(self, position: Position, learner: Learner, best: Best) -> None:
        """Write a save; the position it holds is the one that the tensors belong to.

        Raises CheckError where the disk has no room or cannot be written.
        """
        began = time.monotonic()
        position.best = {"epoch": best.epoch, "value": best.value} if best.epoch else {}
        position.micro_batch = learner.micro_batch
        tensors = learner.tensors()
        size = checkpoint.room(tensors, best.weights) + 2 * len(position.curve)
        need_room(self._folder, size, f"free some space, then {self._remedy}")
        try:
            checkpoint.save(
                self._folder, position.done, tensors, asdict(position), best.weights, best.epoch
            )
        except OSError as error:
            raise CheckError(
                f"the state cannot be saved: {error.strerror or error}", remedy=self._remedy
            ) from error
        self._last, self._at = time.monotonic(), (position.epoch, position.step)
        self._cost = self._last - began
        position.saving += self._cost
