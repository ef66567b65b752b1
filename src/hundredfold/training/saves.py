"""When a training is saved, and what a save holds beside the tensors.

Saving takes a hundredth of the time: before each save has passed a hundred times what it is
expected to take, the first one by its bytes and those after it as the last one took. The end
of a training is not saved, for its weights are written.
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
SHARE_OF_TIME = 0.01  # that saving may take: each save waits until it costs no more
_SLOW = 100e6  # bytes a second of a disk, assumed until a save has been timed
_SYNC = 0.02  # seconds that a save takes at the least, of which most is waiting for the disk


class Saves:
    """Writes saves of a training into its run.

    learner: what is saved. remedy: the command that resumes the run, for what is said where a
    save fails.
    """

    def __init__(self, run: Run, learner: Learner, remedy: str) -> None:
        self._folder, self._learner, self._remedy = run.folder / "state", learner, remedy
        self._last = time.monotonic()
        self._cost = _SYNC + save_bytes(learner, "") / _SLOW

    def due(self, least: float = 0.0) -> bool:
        """Tell whether the last save, or the start, is so long ago that one costs little."""
        return time.monotonic() - self._last > max(least, self._cost / SHARE_OF_TIME)

    def write(self, position: Position, best: Best) -> None:
        """Write a save; the position it holds is the one that the tensors belong to.

        Raises CheckError where the disk has no room or cannot be written.
        """
        began, learner = time.monotonic(), self._learner
        position.best = {"epoch": best.epoch, "value": best.value} if best.epoch else {}
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
