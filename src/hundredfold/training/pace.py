"""How long a training takes, from a few measured steps at each of its sizes."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from hundredfold import call, recipe
from hundredfold.feed import Batch
from hundredfold.training.device import finish
from hundredfold.training.job import Job
from hundredfold.training.learner import Learner, resized

if TYPE_CHECKING:
    from hundredfold.training import engine

_CHECKS = 20  # looks at the clock in a whole training
_SECONDS = 0.7  # of measuring, for each size, or one time where that is longer
_LOOKS = 500  # at the size of images, when the time of a training is added up
_FEW = 64  # images that a CPU is measured with at least
_LOOK = 32  # as many in a first look


@dataclass
class Pace:
    """How long a training takes, and how many steps it may do.

    seconds: that training may take in all. by_size: seconds of a step at each size.
    size: of the images, as a function of progress. validation: seconds of a pass over the
    validation images, which follows every `epoch` steps.
    """

    seconds: float
    by_size: dict[int, float]
    size: Callable[[float], int]
    validation: float
    epoch: int
    slower: float = 1.0
    _since: tuple[int, float] = field(default=(-1, 0.0), repr=False)

    def takes(self, done: int, steps: int) -> float:
        """Return the seconds from step `done` to the end of `steps`, as measured at first."""
        count = steps - done
        looks = min(count, _LOOKS)
        places = ((done + (look + 0.5) * count / looks) / steps for look in range(looks))
        each = sum(self.by_size[self.size(place)] for place in places) / max(looks, 1)
        passes = -(-steps // self.epoch) - done // self.epoch
        return count * each + passes * self.validation

    def fill(self, done: int, seconds: float) -> int:
        """Return the steps in all that fit into so many seconds after step `done`."""
        least, most = 1, 2
        while self.takes(done, done + most) < seconds:
            least, most = most, 2 * most
        while most - least > 1:
            middle = (least + most) // 2
            fits = self.takes(done, done + middle) <= seconds
            least, most = (middle, most) if fits else (least, middle)
        return done + least

    def steps(self, done: int, steps: int, spent: float) -> int:
        """Return how many steps there are to be in all, looking at the clock now and then.

        done, steps: so far, and in all as planned until now. spent: seconds of training.
        """
        before, at = self._since
        if before < 0:
            self._since = done, spent
            return steps
        if spent - at < self.seconds / _CHECKS or done >= steps:
            return steps
        planned = self.takes(before, steps) - self.takes(done, steps)
        self._since = done, spent
        self.slower = (self.slower + (spent - at) / max(planned, 1e-9)) / 2
        left = self.seconds - spent
        if abs(self.slower * self.takes(done, steps) - left) < 0.01 * self.seconds:
            return steps
        return self.fill(done, left / self.slower)

    def to_json(self) -> dict[str, Any]:
        """Return what run.json keeps for `restore`."""
        by_size = {str(size): round(taken, 6) for size, taken in self.by_size.items()}
        return {"seconds": self.seconds, "by_size": by_size, "validation": self.validation}


def restore(job: "engine.Job", facts: Mapping[str, Any]) -> Pace:
    """Return the pace of a run that is resumed."""
    by_size = {int(size): float(taken) for size, taken in facts["by_size"].items()}
    validation = float(facts["validation"])
    return Pace(float(facts["seconds"]), by_size, _size_of(job), validation, job.feed.steps)


def measure(job: Job) -> Pace:
    """Time steps at each size, an update and a validation pass; the model stays as it was.

    The pace has no limit of time yet: `seconds` is infinite.
    """
    before = copy.deepcopy(job.model.state_dict())
    learner = job.learner()
    with job.feed:
        batch = next(iter(job.feed.epoch(0)))
    size_of = _size_of(job)
    by_size = {}
    for size in sorted({size_of(part / 100) for part in range(100)} | {job.data.size}):
        by_size[size] = _seconds_of_gradients(learner, batch, size, _FEW)
    update = _seconds_of_update(learner, batch)
    validation = _seconds_of_validation(job, learner)
    job.model.load_state_dict(before)
    by_size = {size: taken + update for size, taken in by_size.items()}
    return Pace(float("inf"), by_size, size_of, validation, job.feed.steps)


def seconds_an_image(job: Job) -> float:
    """Time the gradients of a few images at full size: a first look, good to a third."""
    learner = job.learner()
    with job.feed:
        batch = next(iter(job.feed.epoch(0)))
    return _seconds_of_gradients(learner, batch, job.data.size, _LOOK) / len(batch.images)


def _size_of(job: "engine.Job") -> Callable[[float], int]:
    resolution = call.resolve(call.parse(job.recipe.resolution), recipe.PACKAGES["resolution"])
    return lambda progress: int(resolution(progress, job.data.size))


def _seconds_of_gradients(learner: Learner, batch: Batch, size: int, few: int) -> float:
    """Time the first pieces, as many as go side by side, and return what the batch takes.

    few: images of a piece that are measured first; then as many as there is time for. A step has
    costs of its own beside those of its images, so few of them make a network seem slow.
    """
    count = len(batch.images)
    share = learner.share(count)
    few = min(few, share.piece)
    each = _of_an_image(learner, batch, size, few, most=1)
    some = min(share.piece, int(_SECONDS / (each * share.members)))
    return _of_an_image(learner, batch, size, max(few, some)) * count


def _seconds_of_update(learner: Learner, batch: Batch) -> float:
    """Time updates, each with gradients of its own: without any there would be none."""
    before = partial(learner.gradients, batch.images[:_LOOK], batch.labels[:_LOOK])
    return _seconds(learner.update, learner.device, before=before)


def _of_an_image(learner: Learner, batch: Batch, size: int, piece: int, most: int = 9) -> float:
    """Time the gradients of pieces side by side, shrinking included, up to `most` times."""
    count = learner.share(len(batch.images)).members * piece
    images, targets = batch.images[:count], batch.labels[:count]
    small = resized(images, size)
    do = partial(learner.gradients, small, targets, piece=piece)
    taken = _seconds(do, learner.device, most)
    taken += _seconds(partial(resized, images, size), learner.device, most)
    return taken / len(images)


def _seconds(
    do: Callable[[], object],
    device: torch.device,
    most: int = 9,
    before: Callable[[], object] = lambda: None,
) -> float:
    """Return the median of up to `most` times of doing something, after one that prepares.

    before: what has to be done first each time, and is not timed.
    """
    before()
    do()
    times: list[float] = []
    while not times or (sum(times) < _SECONDS and len(times) < most):
        before()
        finish(device)
        began = time.perf_counter()
        do()
        finish(device)
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def _seconds_of_validation(job: Job, learner: Learner) -> float:
    some = job.validation.indices[:500]
    if not len(some):
        return 0.0
    began = time.perf_counter()
    learner.logits(job.validation.pixels, some)
    return (time.perf_counter() - began) * len(job.validation.indices) / len(some)
