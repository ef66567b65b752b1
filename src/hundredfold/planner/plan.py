"""`--budget 5m`: the recipe that makes most of a time, and a budget that it keeps to.

The machine is measured for some seconds, a table says which network pays at that compute, and
measured steps say how many fit. What comes out is an ordinary recipe. While it trains, the
`TimeBudget` compares the clock with the plan and changes how many steps there will be.
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
from hundredfold.training.resolve import fit_batch, refuse_inert
from hundredfold.training.time_budget import TimeBudget
from hundredfold.weights.locate import resolve_weights

_FEATURES = 0.75  # of what is left of the budget, at most, for features of a backbone
_AUTOTUNE = 0.03  # of the budget, at most, for timing trials of convolutions
_MOST_VALIDATION = 2_000  # images: enough for an interval of +-2 points
_STEPS = 100  # at least so many, if the batch has to shrink for it
_SPEED_MACS = 117e6  # of speednet at width 1 and 32 px, on average over the sizes
_PLANNING = 5.0  # seconds from the first look to the first step: timing trials
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

    base: a recipe of which the epochs alone are to be chosen; None chooses the network, the
    sizes and the batch as well. changes: fields that the user has set, which win. seconds:
    the budget, which began at `began` on `time.monotonic`. dry_run: compute no features.

    A head on a frozen backbone takes the recipe's epochs where they fit, and then has no
    budget: they are few and known to be enough, where more of them would overfit.

    Raises UsageError where the features of a backbone would take the budget.
    """
    end, cache = began + seconds, options.source.cache
    if options.name and not dry_run:  # before minutes are spent
        run.need_free(options.out, options.name)
    chosen = base or _chosen(changes, end, options, progress)
    refuse_inert(chosen, options)
    chosen, weights = resolve_weights(chosen, options.source, options.weights)
    dataset = data.load(chosen.data, options.source)
    data.refuse_folder(dataset, options.source)
    chosen = fit_batch(chosen, dataset, options, progress)
    job = prepare(chosen, replace(options, autotune_seconds=_AUTOTUNE * seconds), progress, weights)
    needed = on_features.feature_seconds(job, cache)
    _need_time(needed, time.monotonic() - began, seconds)
    if dry_run:
        job, end = on_features.dry_run(job), end - needed
        if base and base.weights:  # an estimate looks for them again, as the user named them
            chosen = chosen.override({"weights": base.weights})
    else:
        job = on_features.compute_features(job, cache, progress)
    times = timing.step_times(job)
    left = end - time.monotonic() - 2 * times.validation - _END
    epochs = round(times.steps_within(0, left) / job.feed.steps, 4)
    enough = job.strategy.frozen and chosen.epochs <= epochs
    job = replace(job, recipe=chosen if enough else chosen.override({"epochs": epochs}))
    progress.say(
        f"budget     {wording.seconds(seconds)}: {chosen.model} at {chosen.resolution}, "
        f"{job.recipe.epochs:g} epochs in batches of {chosen.batch_size}"
        + (", as the recipe says: a head needs no more" if enough else "")
    )
    return job, None if enough else TimeBudget(left, times)


def _need_time(needed: float, spent: float, seconds: float) -> None:
    """Raise UsageError where features leave too little of a budget to what comes after them."""
    least = spent + needed / _FEATURES
    if needed and least > seconds:
        raise UsageError(
            f"a budget of {wording.seconds(seconds)} is too short for a transfer's features",
            found=f"computing them, once, takes about {wording.seconds(needed)} here",
            remedy=f"--budget {math.ceil(least / 60)}m, a lower --set strategy.input_size, "
            "or --set limit=5000",
        )


def _chosen(changes: dict[str, Any], end: float, options: Options, progress: Progress) -> Recipe:
    """Return the recipe, without its epochs, that pays for what this machine does until then."""
    trial = _recipe(SCHEDULE_TABLE[2], changes, options, float("inf"))
    auto = trial.precision == "auto"
    numbers = precision.promising(device.choose(options.device)) if auto else trial.precision
    job = prepare(trial, options, None, None, {"precision": numbers, "algorithms": {}})
    rate = job.summary.macs / timing.seconds_per_image(job)
    macs = rate * max(end - time.monotonic() - _PLANNING - _END, 1.0)
    per_image = macs / len(job.training)
    progress.say(
        f"speed      {rate / 1e9:,.1f} G multiply-accumulates a second in {numbers}: "
        f"{per_image / 1e9:.2g} G for each training image"
    )
    return _recipe(choice_for(per_image), changes, options, macs)


def _recipe(choice: Choice, changes: dict[str, Any], options: Options, macs: float) -> Recipe:
    """Return the recipe of a choice, without its epochs.

    macs: multiply-accumulates that there is time for; the batch shrinks where they are few.
    """
    wanted = Recipe().override(changes)
    dataset = data.load(wanted.data, options.source)
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
