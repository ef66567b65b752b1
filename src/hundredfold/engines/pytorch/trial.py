"""Train a job for a given time, and score it: a trial that leaves nothing behind."""

import itertools
import math
import time
from typing import NamedTuple

from hundredfold.engines.pytorch.job import Job
from hundredfold.errors import CheckError
from hundredfold.training.position import step_seed

_SCORED = 500  # validation images, approximately


class Tried(NamedTuple):
    """Accuracy on so many validation images after some seconds of training.

    seen: training images that passed through the network.
    """

    accuracy: float
    images: int
    seconds: float
    seen: int


def trial(job: Job, seconds: float) -> Tried:
    """Train a job for `seconds` with its whole schedule, and score it on validation images.

    Progress is the time that has passed, so the learning rate falls to its end. The first step is
    not counted: it builds kernels. Raises CheckError where the loss is not finite.
    """
    learner = job.new_learner()
    began, done = time.monotonic(), 0
    with job.feed:
        for epoch in itertools.count():
            for step, (images, targets) in enumerate(job.feed.epoch(epoch)):
                passed = (time.monotonic() - began) / seconds
                if passed >= 1:
                    break
                key = step_seed(job.recipe.seed, epoch, step)
                loss, _ = learner.step(images, targets, passed, key).tolist()
                if not math.isfinite(loss):
                    raise CheckError(f"the loss is not finite after {done} steps")
                began = began if done else time.monotonic()
                done += 1
            if time.monotonic() - began >= seconds:
                break
    spent = time.monotonic() - began
    rows = job.validation.indices[:: max(1, len(job.validation) // _SCORED)]
    logits = learner.logits(job.validation.pixels, rows)
    correct = (logits.argmax(1) == job.validation.labels[rows]).mean()
    return Tried(float(correct), len(rows), spent, done * job.recipe.batch_size)
