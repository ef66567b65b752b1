"""`--dry-run`: what a recipe would take, from a few measured steps; nothing is written."""

import time
from typing import Any

from hundredfold import wording
from hundredfold.inference import logits
from hundredfold.recipe import Recipe
from hundredfold.run import default_name
from hundredfold.training.checkpoint import KEPT, weights_bytes
from hundredfold.training.job import Job, Options, job_facts, prepare
from hundredfold.training.learner import Learner, key_of
from hundredfold.training.progress import Progress

_SECONDS = 2.0


def estimate(what: Recipe, options: Options, progress: Progress) -> dict[str, Any]:
    """Return splits, cost, time and disk of a training; an early stop makes it shorter.

    seconds: of all epochs, from the median of the steps that fit in two seconds.
    bytes: of the run's folder: weights, saves and logits.
    """
    job = prepare(what, options, progress)
    learner = job.learner()
    with job.feed:
        step = _seconds_a_step(job, learner)
    checked = _seconds_of_validation(job, learner)
    seconds = what.epochs * (job.feed.steps * step + checked)
    # weights/best and last, the best in state/, and KEPT saves of everything
    weights = len(weights_bytes(learner.weights(), {}))
    size = 3 * weights + KEPT * len(weights_bytes(learner.tensors(), {}))
    size += 4 * len(job.validation.indices) * len(job.data.classes)
    name = options.name or default_name(what, job.data.name)
    progress.say(
        f"plan       {what.epochs} epochs of {job.feed.steps} steps of {what.batch_size}: about "
        f"{wording.seconds(seconds)} ({what.batch_size / step:,.0f} images/s), "
        f"{wording.memory(size)} in {options.out / name}"
    )
    return {
        "recipe": what.model_dump(),
        "digest": what.digest,
        "run": str(options.out / name),
        **job_facts(job),
        "steps": what.epochs * job.feed.steps,
        "seconds": round(seconds, 3),
        "images_per_second": round(what.batch_size / step, 1),
        "bytes": size,
    }


def _seconds_a_step(job: Job, learner: Learner) -> float:
    times: list[float] = []
    began = last = time.perf_counter()
    for number, (images, targets) in enumerate(job.feed.epoch(0)):
        float(learner.step(images, targets, 0.0, key_of(0, 0, number))[0])
        times.append(time.perf_counter() - last)
        last = time.perf_counter()
        if last - began > _SECONDS:
            break
    warm = sorted(times[1:] or times)
    return warm[len(warm) // 2]


def _seconds_of_validation(job: Job, learner: Learner) -> float:
    some = job.validation.indices[:500]
    if not len(some):
        return 0.0
    began = time.perf_counter()
    logits(learner.scored, job.validation.pixels, some, device=job.device, precision=job.precision)
    return (time.perf_counter() - began) * len(job.validation.indices) / len(some)
