"""`--dry-run`: what a recipe would take, from a few measured steps; nothing is written."""

from typing import Any

from hundredfold import pretrained, weights, wording
from hundredfold.recipe import Recipe
from hundredfold.run import default_name
from hundredfold.training.checkpoint import KEPT
from hundredfold.training.engine import PYTORCH, Engine
from hundredfold.training.job import Options, job_facts
from hundredfold.training.progress import Progress


def estimate(
    what: Recipe, options: Options, progress: Progress, engine: Engine = PYTORCH
) -> dict[str, Any]:
    """Return splits, cost, time and disk of a training; an early stop makes it shorter.

    seconds: of all epochs, from some measured steps at each size of the images, and of the
        features before them where a `transfer` needs some.
    bytes: of the run's folder: weights, saves and logits.
    """
    what = pretrained.settle(what, options.weights, options.source)
    job = engine.prepare(what, options, progress)
    before = engine.takes(job, options.source.cache)
    job = engine.rehearse(job)
    seconds = before + engine.measure(job).takes(0, job.steps)
    learner = job.learner()
    with job.feed:  # a step fills the optimizer's buffers
        learner.step(*next(iter(job.feed.epoch(0))), 0.0, 0)
    # weights/best and last, the best twice in state/, and KEPT saves of everything
    size = 4 * weights.size(learner.weights()) + KEPT * weights.size(learner.tensors())
    size += 4 * len(job.validation.indices) * len(job.data.classes)
    name = options.name or default_name(what, job.data.name)
    progress.say(
        f"plan       {what.epochs:g} epochs of {job.feed.steps} steps of {what.batch_size}: about "
        f"{wording.seconds(seconds)} ({job.steps * what.batch_size / seconds:,.0f} images/s), "
        f"{wording.memory(size)} in {options.out / name}"
    )
    return {
        "recipe": what.model_dump(),
        "digest": what.digest,
        "run": str(options.out / name),
        **job_facts(job),
        "steps": job.steps,
        "seconds": round(seconds, 3),
        "images_per_second": round(job.steps * what.batch_size / seconds, 1),
        "bytes": size,
    }
