"""Decide when to save a training, and write saves.

Saving takes at most 1 % of the time: a save waits for a hundred times its expected duration. That
is estimated from its bytes for the first one, and is that of the last one afterwards. There is no
save at the end of a training, as its weights are written.
"""

import time
from dataclasses import asdict

from hundredfold.errors import CheckError
from hundredfold.run import Run
from hundredfold.training import checkpoint
from hundredfold.training.disk import need_room, save_bytes
from hundredfold.training.early_stopping import Best
from hundredfold.training.position import Position
from hundredfold.training.protocols import Learner

WITHIN_EPOCH = 60.0  # seconds between saves in the middle of an epoch, at least
SHARE_OF_TIME = 0.01  # of saving: each save waits until it costs no more
_SLOW = 100e6  # bytes per second of a disk, assumed until a save has been timed
_SYNC = 0.02  # seconds of a save at least, most of them waiting for the disk


class Saves:
    """Write saves of a training into its run.

    learner: its state is saved. remedy: the command that resumes the run, for errors.
    """

    def __init__(self, run: Run, learner: Learner, remedy: str) -> None:
        self._folder, self._learner, self._remedy = run.folder / "state", learner, remedy
        self._last = time.monotonic()
        self._cost = _SYNC + save_bytes(learner, "") / _SLOW

    def due(self, least: float = 0.0) -> bool:
        """Return whether the last save, or the start, is long enough ago; least: seconds."""
        return time.monotonic() - self._last > max(least, self._cost / SHARE_OF_TIME)

    def write(self, position: Position, best: Best) -> None:
        """Write a save of the learner's state at a position.

        Raises CheckError where the disk has no room or cannot be written.
        """
        began, learner = time.monotonic(), self._learner
        position.best = {"epoch": best.epoch, "value": best.value} if best.weights else {}
        position.micro_batch = learner.micro_batch
        size = save_bytes(learner, position.curve)
        need_room(self._folder, size, f"free some space, then {self._remedy}")
        state = learner.tensors(), asdict(position)
        try:
            checkpoint.save(self._folder, position.done, *state, best.weights, best.epoch)
        except OSError as error:
            raise CheckError(
                f"the state cannot be saved: {error.strerror or error}", remedy=self._remedy
            ) from error
        self._last = time.monotonic()
        self._cost = self._last - began
        position.saving += self._cost
