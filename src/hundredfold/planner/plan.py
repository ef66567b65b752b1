"""`--budget 5m`: choose the recipe for a time, and the time budget of its training.

A rough timing yields the compute that the time allows, a table the best network for that compute,
and timed steps the number of epochs. The result is an ordinary recipe. During training, the
`TimeBudget` compares the clock with the plan and changes the total number of steps.
"""

import math
import time
from dataclasses import replace
from typing import Any

from hundredfold import data, recipes, run, wording
from hundredfold.compute import device, precision
from hundredfold.data import DataSet
from hundredfold.engines.pytorch import on_features, timing
from hundredfold.engines.pytorch.job import Job, prepare
from hundredfold.errors import UsageError
from hundredfold.planner.schedule_table import SCHEDULE_TABLE, Choice, choice_for
from hundredfold.recipe import Recipe
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.resolve import fit_batch, open_data, refuse_inert
from hundredfold.training.time_budget import TimeBudget
from hundredfold.weights.locate import resolve_weights

_FEATURES = 0.75  # of the remaining budget, at most, for features of a backbone
_AUTOTUNE = 0.03  # of the budget, at most, for timing trials of convolutions
_MOST_VALIDATION = 2_000  # images: enough for an interval of +-2 points
_STEPS = 100  # at least; with fewer the batch is reduced
_SPEED_MACS = 117e6  # per image of speednet at width 1 and 32 px, on average over the sizes
_PLANNING = 5.0  # seconds from the rough timing to the first step: timing trials
_END = 2.5  # seconds to start Python, and to write weights and the last save


def plan(
    base: Recipe | None,
    changes: dict[str, Any],
    seconds: float,
    options: Options,
    progress: Progress,
    began: float,
    *,
    dry_run: bool = False,
) -> tuple[Job, TimeBudget | None]:
    """Return the job for a budget, ready for its loop, and the budget it keeps to.

    base: a recipe of which only the epochs are chosen; None chooses network, image sizes and batch
    size too. changes: fields that the user has set, which take precedence. seconds: the budget,
    which starts at `began` on `time.monotonic`. dry_run: compute no features.

    A head on a frozen backbone keeps the recipe's epochs where they fit, and then has no budget,
    as more epochs would overfit.

    Raises UsageError where the features of a backbone would exceed the budget.
    """
    end, cache = began + seconds, options.source.cache
    if options.name and not dry_run:  # before timing takes its time
        run.need_free(options.out, options.name)
    recipe = base or _chosen(changes, end, options, progress)
    refuse_inert(recipe, options)
    recipe, weights = resolve_weights(recipe, options.source, options.weights)
    recipe, dataset = open_data(recipe, weights, options.source)
    recipe = fit_batch(recipe, dataset, options, progress)
    job = prepare(recipe, replace(options, autotune_seconds=_AUTOTUNE * seconds), progress, weights)
    feature_seconds = on_features.feature_seconds(job, cache)
    _need_time(feature_seconds, time.monotonic() - began, seconds)
    if dry_run:
        job, end = on_features.dry_run(job), end - feature_seconds
        if base and base.weights:  # an estimate looks for them again, as the user named them
            recipe = recipe.override({"weights": base.weights})
    else:
        job = on_features.compute_features(job, cache, progress)
    times = timing.step_times(job)
    left = end - time.monotonic() - 2 * times.validation - _END
    epochs = round(times.steps_within(0, left) / job.feed.steps, 4)
    enough = job.strategy.frozen and recipe.epochs <= epochs
    job = replace(job, recipe=recipe if enough else recipe.override({"epochs": epochs}))
    progress.say(
        f"budget     {wording.seconds(seconds)}: {recipe.model} at {recipe.resolution}, "
        f"{job.recipe.epochs:g} epochs in batches of {recipe.batch_size}"
        + (", as the recipe says: a head needs no more" if enough else "")
    )
    return job, None if enough else TimeBudget(left, times)


def _need_time(feature_seconds: float, spent: float, seconds: float) -> None:
    """Raise UsageError where features leave too little of the budget for training."""
    least = spent + feature_seconds / _FEATURES
    if feature_seconds and least > seconds:
        raise UsageError(
            f"a budget of {wording.seconds(seconds)} is too short for a transfer's features",
            found=f"computing them, once, takes about {wording.seconds(feature_seconds)} here",
            remedy=f"--budget {math.ceil(least / 60)}m, a lower --set strategy.input_size, "
            "or --set limit=5000",
        )


def _chosen(changes: dict[str, Any], end: float, options: Options, progress: Progress) -> Recipe:
    """Return the recipe, without its epochs, for the compute of this machine until `end`."""
    trial = _recipe(SCHEDULE_TABLE[2], changes, options, float("inf"))
    auto = trial.precision == "auto"
    dtype = precision.promising(device.choose(options.device)) if auto else trial.precision
    job = prepare(trial, options, None, None, {"precision": dtype, "algorithms": {}})
    rate = job.summary.macs / timing.seconds_per_image(job)
    macs = rate * max(end - time.monotonic() - _PLANNING - _END, 1.0)
    per_image = macs / len(job.training)
    progress.say(
        f"speed      {rate / 1e9:,.1f} G multiply-accumulates a second in {dtype}: "
        f"{per_image / 1e9:.2g} G for each training image"
    )
    return _recipe(choice_for(per_image), changes, options, macs)


def _recipe(choice: Choice, changes: dict[str, Any], options: Options, macs: float) -> Recipe:
    """Return the recipe of a choice, without its epochs.

    macs: multiply-accumulates of forward passes within the time; with few, the batch is smaller.
    """
    changed = Recipe().override(changes)
    dataset = data.load(changed.data, options.source)
    count = len(dataset.parts["train"]())
    per_image = _SPEED_MACS * choice.width**2 * (dataset.size / 32) ** 2
    batch = min(_batch(macs / per_image / _STEPS), max(1, count // 4))
    scale = (batch / 1024) ** 0.5
    fields = {
        "title": f"{dataset.name} within a budget of time",
        "model": f"speednet(width={choice.width})",
        "augment": f"pad_crop(pixels={max(2, dataset.size // 16)}, mode='reflect'){_flip(dataset)}",
        "optimizer": f"muon(lr={0.18 * scale:.3g}, sgd_lr={1.38 * scale:.3g})",
        "resolution": f"progressive(shares={choice.shares}, until={choice.until})",
        "batch_size": batch,
        "micro_batch": min(256, batch),
        "validation": min(0.1, round(_MOST_VALIDATION / count, 4)),
    }
    return recipes.load("speed-75").override(fields).override(changes)


def _batch(most: float) -> int:
    """Return the largest power of two up to `most`, in [64, 1024]."""
    return next((size for size in (1024, 512, 256, 128) if size <= most), 64)


def _flip(dataset: DataSet) -> str:
    return " | alternating_flip" if dataset.mirrors else ""
