"""How long a training takes, from measured steps, and how many steps a budget of time allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_CHECKS = 20  # looks at the clock in a whole training
_SAMPLES = 500  # points at which the size of images is asked, to add up a training's time
_TOLERANCE = 0.01  # of the budget: smaller deviations change nothing


@dataclass
class StepTimes:
    """Measured times of a training.

    by_size: seconds of a step at each image size. size: image size as a function of progress.
    validation: seconds of a pass over the validation images, which follows every `epoch` steps.
    """

    by_size: dict[int, float]
    size: Callable[[float], int]
    validation: float
    epoch: int

    def seconds(self, done: int, steps: int) -> float:
        """Return the seconds from step `done` to the end of `steps`."""
        count = steps - done
        samples = min(count, _SAMPLES)
        points = ((done + (k + 0.5) * count / samples) / steps for k in range(samples))
        mean = sum(self.by_size[self.size(point)] for point in points) / max(samples, 1)
        passes = -(-steps // self.epoch) - done // self.epoch
        return count * mean + passes * self.validation

    def steps_within(self, done: int, seconds: float) -> int:
        """Return the total of steps, of which those after `done` take at most `seconds`."""
        least, most = 1, 2
        while self.seconds(done, done + most) < seconds:
            least, most = most, 2 * most
        while most - least > 1:
            middle = (least + most) // 2
            fits = self.seconds(done, done + middle) <= seconds
            least, most = (middle, most) if fits else (least, middle)
        return done + least

    def to_json(self) -> dict[str, Any]:
        """Return what run.json keeps for `restore`."""
        by_size = {str(size): round(seconds, 6) for size, seconds in self.by_size.items()}
        return {"by_size": by_size, "validation": self.validation}


@dataclass
class TimeBudget:
    """Keep a training within its time by changing how many steps there will be.

    seconds: that training may take in all. slower: measured step time over the planned one.
    """

    seconds: float
    times: StepTimes
    slower: float = 1.0
    _since: tuple[int, float] = field(default=(-1, 0.0), repr=False)

    def steps(self, done: int, steps: int, spent: float) -> int:
        """Return how many steps there are to be in all; looks at the clock now and then.

        done: steps so far. steps: in all, as planned until now. spent: seconds of training.
        """
        before, at = self._since
        if before < 0:
            self._since = done, spent
            return steps
        if spent - at < self.seconds / _CHECKS or done >= steps:
            return steps
        planned = self.times.seconds(before, steps) - self.times.seconds(done, steps)
        self._since = done, spent
        self.slower = (self.slower + (spent - at) / max(planned, 1e-9)) / 2
        left = self.seconds - spent
        expected = self.slower * self.times.seconds(done, steps)
        if abs(expected - left) < _TOLERANCE * self.seconds:
            return steps
        return self.times.steps_within(done, left / self.slower)

    def to_json(self) -> dict[str, Any]:
        """Return what run.json keeps for `restore`."""
        return {"seconds": self.seconds, **self.times.to_json()}


def restore(facts: Mapping[str, Any], size: Callable[[float], int], epoch: int) -> TimeBudget:
    """Return the budget of a run that is resumed, from what `to_json` wrote."""
    by_size = {int(key): float(seconds) for key, seconds in facts["by_size"].items()}
    times = StepTimes(by_size, size, float(facts["validation"]), epoch)
    return TimeBudget(float(facts["seconds"]), times)
