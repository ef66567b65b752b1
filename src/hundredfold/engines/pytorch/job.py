"""From a recipe to all that it stands for, in memory and on the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hundredfold import augment, data, models
from hundredfold.compute import autotune, device, precision
from hundredfold.compute.contention import ThreadLimit
from hundredfold.compute.replicas import split_work
from hundredfold.data import DataSet, Split
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.engines.pytorch.pretrained import need_fitting
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.strategies import Strategy
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress, describe_data
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import WeightsFile

_FITTED_ON = 10_000  # training images that the first layer's scaling is fitted on


@dataclass(frozen=True)
class Job:
    """All that a recipe stands for, in memory and on the device; see `training.protocols.Job`.

    transfer: what run.json says of the weights that it began with, and of their features.
    """

    recipe: Recipe
    strategy: Strategy
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
        return int(self.recipe.resolution.resolve()(progress, self.data.size))

    def learner(self, progress: Progress) -> Learner:
        """Bind loss, optimizer and schedule to the model; `progress` hears of short memory."""
        return self.new_learner(progress.say)

    def new_learner(self, say: Callable[[str], None] = lambda _: None) -> Learner:
        """Bind loss, optimizer and schedule to the model.

        Raises UsageError where one of them has an option that is out of range.
        """
        loss, schedule = self.recipe.loss.resolve(), self.recipe.schedule.resolve()
        try:
            schedule(0.0)
            loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
            optimizer = self.recipe.optimizer.resolve()(self.model)
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
            self.recipe.resolution.resolve(),
            precision="fp32" if self.strategy.frozen else self.precision,
            average=self.recipe.ema,
            micro_batch=self.recipe.micro_batch,
            compiled=self.compiled,
            say=say,
        )

    def watch(self, progress: Progress, remedy: str, *, adapts: bool) -> ThreadLimit:
        """Return what looks for competing processes while the job trains."""
        return ThreadLimit(progress.say, remedy, adapts=adapts)


def prepare(
    recipe: Recipe,
    options: Options,
    progress: Progress | None,
    weights: WeightsFile | None = None,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the model, choose precision and algorithms, and report each choice.

    weights: the file that the recipe begins with, if any. before: precision and algorithms that
    are chosen already, as in run.json of a run to resume.
    """
    place = device.choose(options.device)
    if options.compiled:
        device.need_compiler(place)
    threads = device.use_threads(options.threads)
    device.keep_freed_memory()
    strategy = network.strategy_of(recipe)
    need_fitting(recipe, strategy)
    dataset = data.load(recipe.data, options.source)
    training, validation = data.training(dataset, share=recipe.validation, seed=recipe.seed)
    training = data.limited(training, recipe.limit, recipe.seed)
    model, transfer = _model(recipe, dataset, training, weights)
    summary = _summary(recipe, model, dataset.size)
    model = model.to(place)
    feed = Feed(
        training.pixels,
        training.labels,
        training.indices,
        classes=len(dataset.classes),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        device=place,
        augment=augment.pipeline(recipe.augment),
    )
    chosen, why = _precision(recipe, before, model, feed, options.source.cache)
    trains_convolutions = not strategy.frozen and not options.compiled
    algorithms = before.get("algorithms", {}) if before else {}
    if not before and trains_convolutions:
        algorithms = _algorithms(recipe, model, summary, feed, chosen, options)
    autotune.use(model, _sizes(recipe, summary.size), algorithms)
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    job = Job(
        recipe, strategy, dataset, training, validation, model, summary, feed, place, threads,
        chosen, algorithms, folder, options.compiled, transfer,
    )  # fmt: skip
    if progress:
        _report(job, progress, why)
    return job


def _model(
    recipe: Recipe, dataset: DataSet, training: Split, weights: WeightsFile | None
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network, and what run.json says of the weights that it begins with."""
    classes, size = len(dataset.classes), dataset.size
    if weights is None:
        model = network.build(recipe, classes=classes, size=size)
        _fit_layers(model, _sample(training))
        return model, {}
    side = network.input_size_for(recipe, size, own=weights.own)
    model = network.build(
        recipe, classes=classes, size=size, layout=weights.layout, input_size=side
    )
    assert isinstance(model, Transfer)
    load_weights(model.backbone, recipe.model, weights)
    return model, {"weights": weights.to_json() | {"input_size": side}}


def _report(job: Job, progress: Progress, why: str) -> None:
    progress.say(f"device     {device.name_of(job.device)}, {job.threads} threads; {why}")
    describe_data(job.data, len(job.training), len(job.validation), progress)
    progress.say(
        f"model      {job.recipe.model}: {job.summary.parameters:,} parameters, "
        f"{job.summary.macs / 1e6:,.1f} M multiply-accumulates per image"
    )


def _summary(recipe: Recipe, model: nn.Module, size: int) -> models.Summary:
    """Count the model, and see that it takes every size that it will be trained on."""
    for small in sorted(_sizes(recipe, size) - {size}):
        try:
            models.summary(model, small)
        except RuntimeError:
            raise UsageError(
                f"{recipe.model} does not take {small} pixels, where {recipe.resolution} begins",
                remedy='--resolution full, or a model with global pooling such as "resnet"',
            ) from None
    return models.summary(model, size)


def _sizes(recipe: Recipe, size: int) -> set[int]:
    """Return the sizes at which a recipe trains on images of that size."""
    resolution = recipe.resolution.resolve()
    return {resolution(progress / 100, size) for progress in range(100)}


def _sample(split: Split) -> torch.Tensor:
    """Return up to twice `_FITTED_ON` training images, spread over the split."""
    rows = split.indices[:: max(1, len(split.indices) // _FITTED_ON)]
    return torch.from_numpy(np.asarray(split.pixels)[rows]).permute(0, 3, 1, 2)


def _fit_layers(module: nn.Module, images: torch.Tensor) -> None:
    """Let the outermost modules of ours that have a `fit` set their statistics from images."""
    fit = getattr(module, "fit", None)
    if callable(fit) and type(module).__module__.startswith("hundredfold."):
        fit(images)
        return
    for child in module.children():
        _fit_layers(child, images)


def _precision(
    recipe: Recipe, before: Mapping[str, Any] | None, model: nn.Module, feed: Feed, cache: Path
) -> tuple[str, str]:
    if before:
        return before["precision"], f"{before['precision']}, as chosen before"
    if recipe.precision != "auto":
        return recipe.precision, f"{recipe.precision}, as the recipe says"
    batch = next(feed.epoch(0))
    size = recipe.micro_batch or recipe.batch_size
    key = (
        f"{recipe.model} {recipe.strategy} {size} {batch.images.shape[-1]} {batch.labels.shape[-1]}"
    )
    return precision.choose(model, batch.images[:size], batch.labels[:size], cache=cache, key=key)


def _algorithms(
    recipe: Recipe,
    model: nn.Module,
    summary: models.Summary,
    feed: Feed,
    chosen: str,
    options: Options,
) -> autotune.Plan:
    """Choose how convolutions are computed where timing trials pay.

    A compiled step keeps the library's algorithms, which the compiler knows.
    """
    images = round(recipe.epochs * feed.steps * recipe.batch_size)
    on_cpu = next(model.parameters()).device.type == "cpu"
    if not on_cpu or not autotune.pays(summary.macs, images):
        return {}
    return autotune.choose(
        model,
        _sizes(recipe, summary.size),
        split_work(model, recipe.batch_size, recipe.micro_batch),
        chosen,
        cache=options.source.cache,
        seconds=options.autotune_seconds,
    )
