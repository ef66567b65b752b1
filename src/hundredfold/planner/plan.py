"""`--budget 5m`: train the best classifier that a time allows, and end on time.

With a recipe that the user names, only the epochs are chosen. Otherwise the stages of `stages.py`
choose strategy, backbone, image size, network, batch and epochs; settings of the user stay. The
result is one ordinary run, whose recipe can be trained again.
"""

import math
import time
from dataclasses import replace

from hundredfold import run, wording
from hundredfold.backbones import name_of
from hundredfold.compute import device, precision
from hundredfold.engines.pytorch import on_features, timing
from hundredfold.engines.pytorch.job import Job, prepare
from hundredfold.engines.pytorch.network import groups_of
from hundredfold.errors import MissingError, UsageError
from hundredfold.planner.bench import TorchBench
from hundredfold.planner.candidates import UPPER_GROUPS, Candidate, Setting, Wishes
from hundredfold.planner.deadline import Deadline, need_steps
from hundredfold.planner.kept import Kept
from hundredfold.planner.law import Kind
from hundredfold.planner.look import look
from hundredfold.planner.stages import Stages
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.size import Size
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.resolve import fit_batch, open_data, refuse_inert
from hundredfold.training.session import train_job
from hundredfold.training.time_budget import TimeBudget
from hundredfold.weights.locate import resolve_weights, run_size

_FEATURES = 0.75  # of the remaining budget, at most, for features of a backbone
_AUTOTUNE = 0.03  # of the budget, at most, for timing trials of convolutions
_LONG = 200.0  # seconds of a budget with more validation images
_MOST_VALIDATION = 2000  # images: enough for an interval of +-2 points
_LOOK = 0.02  # of the budget, at most, to measure the rate of decoding
_ANY = 1e15  # multiply-accumulates, to build a network whose speed is measured
_END = 2.5  # seconds to start Python, and to write weights and the last save


def train(
    wishes: Wishes, seconds: float, options: Options, progress: Progress, began: float
) -> Run:
    """Train within a budget and return the run that is best on the validation images.

    wishes: what the user has set. seconds: the budget, which starts at `began` on
    `time.monotonic`. Raises UsageError and DataError as a training does.
    """
    if options.name:
        run.need_free(options.out, options.name)
    deadline = Deadline(began, seconds)
    setting, kinds = _setting(wishes, deadline, options, progress)
    kept = Kept(options.out, options.name)
    progress = progress.keeping()
    bench = _bench(setting, kinds, options, progress, deadline, kept)
    stages = Stages(setting, kinds, deadline, bench, progress.say)
    stages.run()
    if kept.best is None and bench.failure:
        raise bench.failure
    trained = kept.settle()
    trained.save_info(trained.info | {"plan": stages.to_json()})
    progress.say(f"best       {trained.folder}")
    return trained


def sketch(wishes: Wishes, seconds: float, options: Options, progress: Progress) -> Candidate:
    """Return the training that a budget would probably end with, without trials."""
    deadline = Deadline(time.monotonic(), seconds)
    setting, kinds = _setting(wishes, deadline, options, progress)
    bench = _bench(setting, kinds, options, progress, deadline, Kept(options.out, options.name))
    return Stages(setting, kinds, deadline, bench, progress.say).likely()


def plan_epochs(
    base: Recipe,
    seconds: float,
    options: Options,
    progress: Progress,
    began: float,
    *,
    dry_run: bool = False,
) -> tuple[Job, TimeBudget | None]:
    """Return the job of a recipe with the epochs that a budget allows, and the budget it keeps to.

    A head on a frozen backbone keeps the recipe's epochs where they fit, and then has no budget,
    as more epochs would overfit. dry_run: compute no features.

    Raises UsageError where the features of a backbone would exceed the budget.
    """
    end, cache = began + seconds, options.source.cache
    if options.name and not dry_run:  # before timing takes its time
        run.need_free(options.out, options.name)
    refuse_inert(base, options)
    recipe, weights = resolve_weights(base, options.source, options.weights)
    recipe, dataset = open_data(recipe, weights, options.source)
    recipe = fit_batch(recipe, dataset, options, progress)
    job = prepare(recipe, replace(options, autotune_seconds=_AUTOTUNE * seconds), progress, weights)
    feature_seconds = on_features.feature_seconds(job, cache)
    _need_time(feature_seconds, time.monotonic() - began, seconds)
    if dry_run:
        job, end = on_features.dry_run(job), end - feature_seconds
        if base.weights:  # an estimate looks for them again, as the user named them
            recipe = recipe.override({"weights": base.weights})
    else:
        job = on_features.compute_features(job, cache, progress)
    times = timing.step_times(job)
    left = end - time.monotonic() - 2 * times.validation - _END
    need_steps(left, times.seconds(0, 1), times.seconds(0, job.feed.steps), seconds)
    epochs = round(times.steps_within(0, left) / job.feed.steps, 4)
    enough = job.strategy.frozen and recipe.epochs <= epochs
    job = replace(job, recipe=recipe if enough else recipe.override({"epochs": epochs}))
    progress.say(
        f"budget     {wording.seconds(seconds)}: {recipe.model} at {recipe.resolution}, "
        f"{job.recipe.epochs:g} epochs in batches of {recipe.batch_size}"
        + (", as the recipe says: a head needs no more" if enough else "")
    )
    return job, None if enough else TimeBudget(left, times)


def train_epochs(
    base: Recipe, seconds: float, options: Options, progress: Progress, began: float
) -> Run:
    """Train a recipe that the user named for as many epochs as a budget allows."""
    job, time_budget = plan_epochs(base, seconds, options, progress, began)
    return train_job(job, options, progress, time_budget)


def _setting(
    wishes: Wishes, deadline: Deadline, options: Options, progress: Progress
) -> tuple[Setting, list[Kind]]:
    """Look at the images, and return what the candidates share and the kinds that are allowed."""
    wanted = wishes.applied(Recipe(), {})
    refuse_inert(wanted, options)
    seen = look(wanted, options.source, _LOOK * deadline.seconds)
    progress.say(f"look       {seen}")
    auto = wanted.precision == "auto"
    dtype = precision.promising(device.choose(options.device)) if auto else wanted.precision
    most = _MOST_VALIDATION if deadline.seconds >= _LONG else _MOST_VALIDATION // 2
    setting = Setting(wishes, seen, dtype, most)
    kinds = _kinds(wishes, wanted)
    if "head" in kinds or "whole" in kinds:
        try:
            trial = setting.head(64, seen.images).recipe
            recipe, weights = resolve_weights(trial, options.source, options.weights)
        except MissingError as error:
            if wanted.weights:
                raise
            progress.say(f"budget     from scratch only: {error.message}")
            return setting, ["scratch"]
        if weights and weights.own:
            own = run_size(weights.path) or Size.of(seen.side)
            setting = replace(setting, input_size=own)
        setting = replace(setting, groups=groups_of(recipe.model))
        if setting.groups <= UPPER_GROUPS:
            kinds = [kind for kind in kinds if kind != "upper"]
    return setting, kinds


def _kinds(wishes: Wishes, wanted: Recipe) -> list[Kind]:
    """Return the kinds of candidates that the user's settings allow."""
    fields = {text.partition("=")[0].strip().partition(".")[0] for text in wishes.sets}
    fields |= wishes.changes.keys()
    transfers: list[Kind] = ["head", "upper", "whole"]
    if "strategy" in fields:
        by_name: dict[str, list[Kind]] = {
            "scratch": ["scratch"], "linear_probe": ["head"], "fine_tune": ["whole"],
        }  # fmt: skip
        return by_name[wanted.strategy.name]
    if "weights" in fields:
        return transfers if wanted.weights else ["scratch"]
    if "model" in fields:
        return transfers if name_of(wanted.model) else ["scratch"]
    return [*transfers, "scratch"]


def _bench(
    setting: Setting,
    kinds: list[Kind],
    options: Options,
    progress: Progress,
    deadline: Deadline,
    kept: Kept,
) -> TorchBench:
    images = setting.look.images
    pretrained = "head" in kinds or "whole" in kinds
    head = setting.head(64, images).recipe if pretrained else None
    scratch = setting.scratch(images, _ANY).recipe if "scratch" in kinds else None
    return TorchBench(options, progress, deadline, kept, head, scratch)


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
