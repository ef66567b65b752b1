"""From a recipe to all that it stands for, in memory and on the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hundredfold import augment, data, models, recipe, spec
from hundredfold.compute import autotune, device, precision
from hundredfold.compute.contention import ThreadLimit
from hundredfold.compute.replicas import split_work
from hundredfold.data import DataSet, Split
from hundredfold.engines.pytorch import pretrained
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.errors import UsageError
from hundredfold.models.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress, describe_data

_FITTED_ON = 10_000  # training images that the first layer's scaling is fitted on


@dataclass(frozen=True)
class Job:
    """All that a recipe stands for, in memory and on the device; see `training.protocols.Job`."""

    recipe: Recipe
    data: DataSet
    training: Split
    validation: Split
    model: nn.Module
    summary: models.Summary
    feed: Feed
    device: torch.device
    threads: int
    precision: str
    algorithms: autotune.Plan
    folder: str | None
    compiled: bool
    transfer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Steps in all, as the recipe says."""
        return max(1, round(self.recipe.epochs * self.feed.steps))

    @property
    def device_name(self) -> str:
        return device.name_of(self.device)

    def image_size(self, progress: float) -> int:
        """Return the size in pixels at which images are trained on at that progress."""
        resolution = _part(self.recipe, "resolution")
        return int(resolution(progress, self.data.size))

    def learner(self, progress: Progress) -> Learner:
        """Bind loss, optimizer and schedule to the model; `progress` hears of short memory."""
        return self.new_learner(progress.say)

    def new_learner(self, say: Callable[[str], None] = lambda _: None) -> Learner:
        """Bind loss, optimizer and schedule to the model.

        Raises UsageError where one of them has an option that is out of range.
        """
        loss, schedule = _part(self.recipe, "loss"), _part(self.recipe, "schedule")
        try:
            schedule(0.0)
            loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
            optimizer = _part(self.recipe, "optimizer")(self.model)
            if isinstance(self.model, Transfer):
                optimizer = optimizer.rescaled(dict(self.model.rates()))
        except (ValueError, RuntimeError) as error:
            raise UsageError(
                f"invalid recipe: {self.recipe.optimizer} with {self.recipe.loss}",
                found=str(error),
            ) from None
        return Learner(
            self.model,
            optimizer,
            loss,
            schedule,
            _part(self.recipe, "resolution"),
            precision="fp32" if _is_frozen(self.model) else self.precision,
            average=self.recipe.ema,
            micro_batch=self.recipe.micro_batch,
            compiled=self.compiled,
            say=say,
        )

    def watch(self, progress: Progress, remedy: str, *, adapts: bool) -> ThreadLimit:
        """Return what looks for competing processes while the job trains."""
        return ThreadLimit(progress.say, remedy, adapts=adapts)


def prepare(
    what: Recipe,
    options: Options,
    progress: Progress | None,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the model, choose precision and algorithms, and report each choice.

    before: precision and algorithms that are chosen already, as in run.json of a run to resume.
    """
    place = device.choose(options.device)
    if options.compiled:
        device.need_compiler(place)
    threads = device.use_threads(options.threads)
    device.keep_freed_memory()
    dataset = data.load(what.data, options.source)
    training, validation = data.training(dataset, share=what.validation, seed=what.seed)
    training = data.limited(training, what.limit, what.seed)
    model = models.build(
        spec.parse(what.model), classes=len(dataset.classes), size=dataset.size, seed=what.seed
    )
    weights = {}
    if isinstance(model, Transfer):  # what was fitted before, its weights are used to
        weights = pretrained.begin(model, what, options.weights, options.source)
    else:
        _fit_layers(model, _sample(training))
    summary = _summary(what, model, dataset.size)
    model = model.to(place)
    feed = Feed(
        training.pixels,
        training.labels,
        training.indices,
        classes=len(dataset.classes),
        batch_size=what.batch_size,
        seed=what.seed,
        device=place,
        augment=augment.pipeline(spec.parse_chain(what.augment)),
    )
    chosen, why = _precision(what, before, model, feed, options.source.cache)
    algorithms = _algorithms(what, before, model, summary, feed, chosen, options)
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    made = (model, summary, feed, place, threads, chosen, algorithms, folder, options.compiled)
    transfer = {"weights": weights} if weights else {}
    job = Job(what, dataset, training, validation, *made, transfer)
    if progress:
        _report(job, progress, why)
    return job


def _report(job: Job, progress: Progress, why: str) -> None:
    progress.say(f"device     {device.name_of(job.device)}, {job.threads} threads; {why}")
    describe_data(job.data, len(job.training), len(job.validation), progress)
    progress.say(
        f"model      {job.recipe.model}: {job.summary.parameters:,} parameters, "
        f"{job.summary.macs / 1e6:,.1f} M multiply-accumulates per image"
    )


def _part(what: Recipe, field: str) -> Callable[..., Any]:
    return spec.resolve(spec.parse(getattr(what, field)), recipe.PACKAGES[field])


def _is_frozen(model: nn.Module) -> bool:
    return isinstance(model, Transfer) and model.frozen


def _summary(what: Recipe, model: nn.Module, size: int) -> models.Summary:
    """Count the model, and see that it takes every size that it will be trained on."""
    for small in sorted(_sizes(what, size) - {size}):
        try:
            models.summary(model, small)
        except RuntimeError:
            raise UsageError(
                f"{what.model} does not take {small} pixels, where {what.resolution} begins",
                remedy='--resolution full, or a model with global pooling such as "resnet"',
            ) from None
    return models.summary(model, size)


def _sizes(what: Recipe, size: int) -> set[int]:
    """Return the sizes at which a recipe trains on images of that size."""
    resolution = _part(what, "resolution")
    return {resolution(progress / 100, size) for progress in range(100)}


def _sample(split: Split) -> torch.Tensor:
    """Return up to twice `_FITTED_ON` training images, spread over the split."""
    rows = split.indices[:: max(1, len(split.indices) // _FITTED_ON)]
    return torch.from_numpy(np.asarray(split.pixels)[rows]).permute(0, 3, 1, 2)


def _fit_layers(module: nn.Module, images: torch.Tensor) -> None:
    """Let the outermost modules that have a `fit` set their statistics from images."""
    fit = getattr(module, "fit", None)
    if callable(fit):
        fit(images)
        return
    for child in module.children():
        _fit_layers(child, images)


def _precision(
    what: Recipe, before: Mapping[str, Any] | None, model: nn.Module, feed: Feed, cache: Path
) -> tuple[str, str]:
    if before:
        return before["precision"], f"{before['precision']}, as chosen before"
    if what.precision != "auto":
        return what.precision, f"{what.precision}, as the recipe says"
    batch = next(feed.epoch(0))
    size = what.micro_batch or what.batch_size
    key = f"{what.model} {size} {batch.images.shape[-1]} {batch.labels.shape[-1]}"
    return precision.choose(model, batch.images[:size], batch.labels[:size], cache=cache, key=key)


def _algorithms(
    what: Recipe,
    before: Mapping[str, Any] | None,
    model: nn.Module,
    summary: models.Summary,
    feed: Feed,
    chosen: str,
    options: Options,
) -> autotune.Plan:
    """Choose how convolutions are computed where timing trials pay, and tell the model.

    A compiled step keeps the library's algorithms, which the compiler knows.
    """
    sizes = _sizes(what, summary.size)
    images = round(what.epochs * feed.steps * what.batch_size)
    plan: autotune.Plan = before.get("algorithms", {}) if before else {}
    on_cpu = next(model.parameters()).device.type == "cpu"
    pays = on_cpu and not _is_frozen(model) and autotune.pays(summary.macs, images)
    if not before and pays and not options.compiled:
        work = split_work(model, what.batch_size, what.micro_batch)
        seconds = options.autotune_seconds
        plan = autotune.choose(
            model, sizes, work, chosen, cache=options.source.cache, seconds=seconds
        )
    autotune.use(model, sizes, plan)
    return plan
