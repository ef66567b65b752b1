"""The time of a budget: spent, left, and fractions of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

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
