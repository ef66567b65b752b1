"""Estimate the time of a training from timed steps, and the steps that a time budget allows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hundredfold.errors import DataError
from hundredfold.size import Size

_CHECKS = 20  # adaptations during a training
_INTERVALS = 5  # whose median tells how much slower steps are than planned
_SAMPLES = 500  # points of progress at which image sizes are summed to a training's time
_TOLERANCE = 0.01  # of the budget: smaller deviations are ignored


@dataclass
class StepTimes:
    """Measured times of a training.

    by_size: seconds per step at each image size. size: image size as a function of
    progress. validation: seconds of a pass over the validation images. epoch: steps per epoch.
    """

    by_size: dict[Size, float]
    size: Callable[[float], Size]
    validation: float
    epoch: int

    def seconds(self, done: int, steps: int) -> float:
        """Return the seconds from step `done` to step `steps`, validation included."""
        count = steps - done
        samples = min(count, _SAMPLES)
        points = ((done + (k + 0.5) * count / samples) / steps for k in range(samples))
        mean = sum(self.by_size[self.size(point)] for point in points) / max(samples, 1)
        passes = -(-steps // self.epoch) - done // self.epoch
        return count * mean + passes * self.validation

    def steps_within(self, done: int, seconds: float) -> int:
        """Return the largest total of steps such that those after `done` take at most `seconds`."""
        low, high = 1, 2
        while self.seconds(done, done + high) < seconds:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            fits = self.seconds(done, done + middle) <= seconds
            low, high = (middle, high) if fits else (low, middle)
        return done + low

    def to_json(self) -> dict[str, Any]:
        """Return the facts for run.json that `restore` reads."""
        by_size = {str(size): round(seconds, 6) for size, seconds in self.by_size.items()}
        return {"by_size": by_size, "validation": self.validation}


@dataclass
class TimeBudget:
    """Keep a training within a time by changing its total number of steps.

    seconds: of the whole training. first: seconds after which the first weights are scored and
    written. slower: measured over planned time of a step, the median of the last intervals, so
    that no single stall changes the plan.
    """

    seconds: float
    times: StepTimes
    first: float = math.inf
    slower: float = 1.0
    _since: tuple[int, float] = field(default=(-1, 0.0), repr=False)
    _ratios: list[float] = field(default_factory=lambda: [1.0], repr=False)

    def steps(self, done: int, steps: int, spent: float) -> int:
        """Return the new total number of steps; it changes at most every 1/20 of the budget.

        done: steps so far. steps: the present total. spent: seconds of training so far.
        """
        before, at = self._since
        if before < 0:
            self._since = done, spent
            return steps
        if spent - at < self.seconds / _CHECKS or done >= steps:
            return steps
        planned = self.times.seconds(before, steps) - self.times.seconds(done, steps)
        self._since = done, spent
        self._ratios = [*self._ratios, (spent - at) / max(planned, 1e-9)][-_INTERVALS:]
        self.slower = sorted(self._ratios)[(len(self._ratios) - 1) // 2]
        left = self.seconds - spent
        expected = self.slower * self.times.seconds(done, steps)
        if abs(expected - left) < _TOLERANCE * self.seconds:
            return steps
        return self.times.steps_within(done, left / self.slower)

    def needs_first(self, spent: float) -> bool:
        """Return whether the first weights are due; spent: seconds of training so far."""
        return spent >= self.first

    def to_json(self) -> dict[str, Any]:
        """Return the facts for run.json that `restore` reads."""
        return {"seconds": self.seconds, **self.times.to_json()}


def restore(facts: Mapping[str, Any], size: Callable[[float], Size], epoch: int) -> TimeBudget:
    """Return the budget of a resumed run from the result of `to_json`.

    Raises DataError where it has no time for a size of the images.
    """
    by_size = {Size.of(key): float(seconds) for key, seconds in facts["by_size"].items()}
    needed = {size((k + 0.5) / _SAMPLES) for k in range(_SAMPLES)}
    if not needed <= by_size.keys():
        raise DataError("run.json has no step times for the sizes that this training uses")
    times = StepTimes(by_size, size, float(facts["validation"]), epoch)
    return TimeBudget(float(facts["seconds"]), times)
