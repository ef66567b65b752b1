"""Time a few steps of a job."""

import time
from itertools import islice, pairwise

from hundredfold.engines.tensorflow.job import Job
from hundredfold.training.time_budget import StepTimes

_STEPS = 10  # that are timed
_IMAGES = 500  # of validation, at most


def step_times(job: Job) -> StepTimes:
    """Time some steps and a pass over validation images; this trains the job's network."""
    learner = job.new_learner()
    marks = [time.perf_counter()]
    for images, labels in islice(job.feed.epoch(0), _STEPS):
        learner.step(images, labels, 0.0, 0)
        marks.append(time.perf_counter())
    times = sorted(after - before for before, after in pairwise(marks))
    step = times[len(times) // 2]
    sample = job.validation.indices[:_IMAGES]
    began = time.perf_counter()
    if len(sample):
        learner.logits(job.validation.pixels, sample)
    scale = len(job.validation) / max(len(sample), 1)
    validation = (time.perf_counter() - began) * scale
    return StepTimes({job.data.size: step}, job.image_size, validation, job.feed.steps)
