"""Time a few steps of a job at each of its image sizes."""

import copy
import time
from collections.abc import Callable
from functools import partial

import torch

from hundredfold.compute.device import finish
from hundredfold.engines.pytorch.feed import Batch
from hundredfold.engines.pytorch.job import Job
from hundredfold.engines.pytorch.learner import Learner, resized
from hundredfold.size import Size
from hundredfold.training.time_budget import StepTimes

SECONDS = 0.7  # of timing for each size; one repeat where that is longer
_FEW = 64  # images of a micro-batch in the first timing
_ROUGH = 32  # images of a rough estimate


def step_times(job: Job, seconds: float = SECONDS) -> StepTimes:
    """Time gradients at each image size, an update and validation; the model is restored.

    seconds: of timing for each size.
    """
    before = copy.deepcopy(job.model.state_dict())
    learner = job.new_learner()
    with job.feed:
        batch = next(iter(job.feed.epoch(0)))
    sizes = {job.image_size(part / 100) for part in range(100)} | {job.data.size}
    gradients = {
        size: _seconds_of_gradients(learner, batch, size, _FEW, seconds)
        for size in sorted(sizes, key=lambda size: size.area)
    }
    update = _seconds_of_update(learner, batch, seconds)
    validation = _seconds_of_validation(job, learner)
    job.model.load_state_dict(before)
    by_size = {size: seconds + update for size, seconds in gradients.items()}
    return StepTimes(by_size, job.image_size, validation, job.feed.steps)


def seconds_per_image(job: Job) -> float:
    """Return the seconds per image of gradients at full size: a rough estimate, within a third."""
    learner = job.new_learner()
    with job.feed:
        batch = next(iter(job.feed.epoch(0)))
    seconds = _seconds_of_gradients(learner, batch, job.data.size, _ROUGH, SECONDS)
    return seconds / len(batch.images)


def _seconds_of_gradients(
    learner: Learner, batch: Batch, size: Size, few: int, seconds: float
) -> float:
    """Time concurrent micro-batches, and return the seconds of the whole batch.

    few: images per micro-batch of the first timing; the second has as many as `seconds` allows.
    A step has a fixed cost beside that of its images, so small micro-batches overestimate.
    """
    count = len(batch.images)
    split = learner.split_work(count)
    few = min(few, split.micro_batch)
    each = _seconds_of_image(learner, batch, size, few, seconds, most=1)
    affordable = min(split.micro_batch, int(seconds / (each * split.workers)))
    return _seconds_of_image(learner, batch, size, max(few, affordable), seconds) * count


def _seconds_of_update(learner: Learner, batch: Batch, seconds: float) -> float:
    """Return the seconds of an update; gradients come first, as updates skip without them."""
    before = partial(learner.gradients, batch.images[:_ROUGH], batch.labels[:_ROUGH])
    return _median_seconds(learner.update, learner.device, seconds, before=before)


def _seconds_of_image(
    learner: Learner,
    batch: Batch,
    size: Size,
    micro_batch: int,
    limit: float,
    most: int = 9,
) -> float:
    """Return the seconds per image of concurrent micro-batches, resizing included.

    limit: seconds of repetitions. most: repetitions at most.
    """
    count = learner.split_work(len(batch.images)).workers * micro_batch
    images, targets = batch.images[:count], batch.labels[:count]
    small = resized(images, size)
    step = partial(learner.gradients, small, targets, micro_batch=micro_batch)
    seconds = _median_seconds(step, learner.device, limit, most)
    seconds += _median_seconds(partial(resized, images, size), learner.device, limit, most)
    return seconds / len(images)


def _median_seconds(
    function: Callable[[], object],
    device: torch.device,
    limit: float,
    most: int = 9,
    before: Callable[[], object] = lambda: None,
) -> float:
    """Return the median seconds of up to `most` calls, after one call to warm up.

    before: called before each, not timed.
    """
    before()
    function()
    times: list[float] = []
    while not times or (sum(times) < limit and len(times) < most):
        before()
        finish(device)
        began = time.perf_counter()
        function()
        finish(device)
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def _seconds_of_validation(job: Job, learner: Learner) -> float:
    sample = job.validation.indices[:500]
    if not len(sample):
        return 0.0
    began = time.perf_counter()
    learner.logits(job.validation.pixels, sample)
    return (time.perf_counter() - began) * len(job.validation.indices) / len(sample)
