"""`--dry-run`: estimate the cost of a training from a few timed steps, without a run."""

from typing import Any

from hundredfold import wording
from hundredfold.recipe import Recipe
from hundredfold.run import default_name
from hundredfold.training import resolve
from hundredfold.training.disk import run_bytes
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.protocols import Engine
from hundredfold.training.record import job_facts


def estimate(
    recipe: Recipe, options: Options, progress: Progress, engine: Engine
) -> dict[str, Any]:
    """Return splits, cost, time and disk space of a training without an early stop.

    Keys of the result, beside those of run.json:
    seconds: of all epochs, from timed steps at each image size, plus missing features of a
        pretrained network.
    bytes: of the run's folder, at most.
    """
    resolve.refuse_inert(recipe, options)
    recipe, weights = engine.resolve_weights(recipe, options.source, options.weights)
    recipe, dataset = resolve.open_data(recipe, weights, options.source)
    fitted = resolve.fit_batch(recipe, dataset, options, progress)
    job = engine.prepare(fitted, options, progress, weights)
    features = engine.feature_seconds(job, options.source.cache)
    job = engine.dry_run(job)
    seconds = features + engine.step_times(job).seconds(0, job.steps)
    size = run_bytes(job, job.learner(progress))
    name = options.name or default_name(recipe, job.data.name)
    images = job.steps * fitted.batch_size
    progress.say(
        f"plan       {recipe.epochs:g} epochs of {job.feed.steps} steps of {fitted.batch_size}: "
        f"about {wording.seconds(seconds)} ({images / seconds:,.0f} images/s), at most "
        f"{wording.memory(size)} in {options.out / name}"
    )
    return {
        "recipe": recipe.model_dump(),
        "digest": recipe.digest,
        **resolve.resolved_facts(recipe, job),
        "run": str(options.out / name),
        **job_facts(job),
        "steps": job.steps,
        "seconds": round(seconds, 3),
        "images_per_second": round(images / seconds, 1),
        "bytes": size,
    }
