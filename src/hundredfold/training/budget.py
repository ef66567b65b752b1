"""`--budget 5m`: the recipe that makes most of a time, and a pace that ends in time.

The machine is measured for some seconds, a table says which network pays at that compute,
and measured steps say how many fit. What comes out is an ordinary recipe. While it trains,
`Pace` compares the clock with the plan and, where the machine has become slower or faster,
changes how many steps there will be.
"""

import math
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from hundredfold import data, pretrained, recipe, run, wording
from hundredfold.data import DataSet
from hundredfold.errors import UsageError
from hundredfold.models.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.training import device, frozen, precision
from hundredfold.training.job import Job, Options, prepare
from hundredfold.training.pace import Pace, measure, seconds_an_image
from hundredfold.training.progress import Progress

_UNITS = {"s": 1, "m": 60, "h": 3600}
_LEAST = 10.0  # seconds
_FEATURES = 0.75  # of what is left of the budget, at most, for features of a transfer
_PROBE = 0.03  # of the budget, at most, for the forms of convolutions
_MOST_VALIDATION = 2_000  # images: enough for an interval of +-2 points
_STEPS = 100  # at least so many, if the batch has to shrink for it
_SPEED_MACS = 117e6  # of speednet at width 1 and 32 px, on average over the sizes
_PLANNING = 5.0  # seconds from the first look to the first step: probes, and steps that are timed
_END = 2.5  # seconds to start Python, and to write weights and the last save


@dataclass(frozen=True)
class Rung:
    """What pays from so many multiply-accumulates a training image on, all epochs together."""

    macs: float
    width: float
    shares: tuple[float, ...]
    until: tuple[float, ...]


# docs/speed.md has the measurements, and says which of these are guesses.
LADDER = (
    Rung(0.0, 0.25, (0.5, 0.625, 0.75), (0.3, 0.6, 0.8)),
    Rung(0.12e9, 0.5, (0.5, 0.625, 0.75), (0.2, 0.5, 0.75)),
    Rung(0.7e9, 1.0, (0.625, 0.75), (0.15, 0.5)),
    Rung(3.0e9, 1.5, (0.625, 0.75), (0.15, 0.5)),
    Rung(10.0e9, 2.0, (0.625, 0.75), (0.15, 0.5)),
)


def seconds_of(text: str) -> float:
    """Read "90s", "5m", "1.5h" or "1h30m" as seconds. Raises UsageError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not parts or "".join(map("".join, parts)) != text.replace(" ", "") or total < _LEAST:
        raise UsageError(
            f"{text!r} is not a budget of time",
            found=f"a number and s, m or h, at least {_LEAST:.0f} s",
            remedy="--budget 5m",
        )
    return total


def plan(
    base: Recipe | None,
    changes: dict[str, Any],
    seconds: float,
    options: Options,
    progress: Progress,
    began: float,
    *,
    rehearse: bool = False,
) -> tuple[Job, Pace | None]:
    """Return the job for a budget, ready for its loop, and its pace.

    base: a recipe of which the epochs alone are to be chosen; None chooses the network, the
    sizes and the batch as well. changes: fields that the user has set, which win. seconds:
    the budget, which began at `began` on `time.monotonic`. rehearse: compute no features.

    A head on a frozen backbone takes the recipe's epochs where they fit, and then has no
    pace: they are few and known to be enough, where more of them would learn by heart.

    Raises UsageError where the features of a `transfer` would take the budget.
    """
    end, cache = began + seconds, options.source.cache
    if options.name and not rehearse:  # before minutes are spent
        run.need_free(options.out, options.name)
    what = base or _chosen(changes, end, options, progress)
    what = pretrained.settle(what, options.weights, options.source)
    job = prepare(what, replace(options, probing=_PROBE * seconds), progress)
    needed = frozen.takes(job, cache)
    _need_time(needed, time.monotonic() - began, seconds)
    if rehearse:
        job, end = frozen.rehearsed(job), end - needed
    else:
        job = frozen.prepared(job, cache, progress)
    pace = measure(job)
    pace.seconds = end - time.monotonic() - 2 * pace.validation - _END
    epochs = round(pace.fill(0, pace.seconds) / job.feed.steps, 4)
    enough = isinstance(job.model, Transfer) and job.model.frozen and what.epochs <= epochs
    job = job if enough else replace(job, recipe=what.override({"epochs": epochs}))
    progress.say(
        f"budget     {wording.seconds(seconds)}: {what.model} at {what.resolution}, "
        f"{job.recipe.epochs:g} epochs in batches of {what.batch_size}"
        + (", as the recipe says: a head needs no more" if enough else "")
    )
    return job, None if enough else pace


def _need_time(needed: float, spent: float, seconds: float) -> None:
    """Raise UsageError where features leave too little of a budget to what comes after them."""
    least = spent + needed / _FEATURES
    if needed and least > seconds:
        raise UsageError(
            f"a budget of {wording.seconds(seconds)} is too short for a transfer's features",
            found=f"computing them, once, takes about {wording.seconds(needed)} here",
            remedy=f"--budget {math.ceil(least / 60)}m, a lower --set model.resolution, "
            "or --set limit=5000",
        )


def _chosen(changes: dict[str, Any], end: float, options: Options, progress: Progress) -> Recipe:
    """Return the recipe, without its epochs, that pays for what this machine does until then."""
    what = _recipe(LADDER[2], changes, options, float("inf"))
    auto = what.precision == "auto"
    numbers = precision.promising(device.choose(options.device)) if auto else what.precision
    job = prepare(what, options, None, {"precision": numbers, "forms": {}})
    rate = job.summary.macs / seconds_an_image(job)
    macs = rate * max(end - time.monotonic() - _PLANNING - _END, 1.0)
    an_image = macs / len(job.training)
    progress.say(
        f"look       {rate / 1e9:,.1f} G multiply-accumulates a second in {numbers}: "
        f"{an_image / 1e9:.2g} G for each training image"
    )
    rung = max((rung for rung in LADDER if rung.macs <= an_image), key=lambda rung: rung.macs)
    return _recipe(rung, changes, options, macs)


def _recipe(rung: Rung, changes: dict[str, Any], options: Options, macs: float) -> Recipe:
    """Return the recipe of a rung, without its epochs.

    macs: multiply-accumulates that there is time for; the batch shrinks where they are few.
    """
    wanted = Recipe().override(changes)
    found = data.load(wanted.data, options.source)
    count = len(found.parts["train"]())
    small = _SPEED_MACS * rung.width**2 * (found.size / 32) ** 2
    batch = min(_batch(macs / small / _STEPS), max(1, count // 4))
    scale = (batch / 1024) ** 0.5
    fields = {
        "title": f"{found.name} within a budget of time",
        "model": f"speednet(width={rung.width})",
        "augment": f"pad_crop(pixels={max(2, found.size // 16)}, mode='reflect'){_flip(found)}",
        "optimizer": f"muon(lr={0.18 * scale:.3g}, sgd_lr={1.38 * scale:.3g})",
        "resolution": f"progressive(shares={rung.shares}, until={rung.until})",
        "batch_size": batch,
        "micro_batch": min(256, batch),
        "validation": min(0.1, round(_MOST_VALIDATION / count, 4)),
    }
    return recipe.load("speed-75").override(fields).override(changes)


def _batch(most: float) -> int:
    """Return the largest power of two up to `most`, in [64, 1024]."""
    return next((size for size in (1024, 512, 256, 128) if size <= most), 64)


def _flip(found: DataSet) -> str:
    return " | alternating_flip" if found.mirrors else ""
