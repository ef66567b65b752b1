"""The time of a budget: spent, left, and fractions of it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from hundredfold import wording
from hundredfold.errors import UsageError

FIRST = 8.0  # seconds until the first usable weights, at least


@dataclass(frozen=True)
class Deadline:
    """A budget of `seconds` from `began` on, by a clock.

    now: the clock; tests simulate one.
    """

    began: float
    seconds: float
    now: Callable[[], float] = time.monotonic

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self.now() - self.began

    @property
    def left(self) -> float:
        """Seconds until the end; negative after it."""
        return self.seconds - self.spent

    @property
    def first(self) -> float:
        """Seconds after the start at which the first usable weights are due."""
        return max(FIRST, self.seconds / 10)


def need_steps(left: float, step: float, epoch: float, seconds: float) -> None:
    """Raise UsageError where planning leaves less than a step; all in seconds.

    left: for training. step, epoch: of the first ones. seconds: the budget.
    """
    if left >= step:
        return
    enough = math.ceil((seconds - left + epoch) / 10) * 10
    raise UsageError(
        f"a budget of {wording.seconds(seconds)} leaves no time to train",
        found=f"opening the data and timing a step took all of it; an epoch takes "
        f"{wording.seconds(epoch)} more",
        remedy=f"--budget {enough}s",
    )
