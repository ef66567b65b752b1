"""Prepare a recipe's data, model and feed on the device."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hundredfold import augment, data, models
from hundredfold.compute import autotune, device
from hundredfold.compute.contention import ThreadLimit
from hundredfold.data import DataSet, Source, Split
from hundredfold.engines.pytorch import devices, first_layers, network, size_checks
from hundredfold.engines.pytorch.choices import (
    choose_algorithms,
    choose_precision,
    sent_choices,
    size_at,
    training_sizes,
)
from hundredfold.engines.pytorch.devices import Devices
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.held import Held
from hundredfold.engines.pytorch.lead import leading
from hundredfold.engines.pytorch.learner import Learner, Loss
from hundredfold.engines.pytorch.orders import Leader
from hundredfold.engines.pytorch.pretrained import need_fitting
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError
from hundredfold.optim import weighted
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.size import Size
from hundredfold.strategies import Strategy
from hundredfold.training.options import Options
from hundredfold.training.position import total_steps
from hundredfold.training.progress import Progress, describe_data
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import WeightsFile


@dataclass(frozen=True)
class Job:
    """Data, model and feed of a recipe on the device; see `training.protocols.Job`.

    transfer: facts for run.json about pretrained weights and their features. validation_precision:
    of a frozen network's outputs for validation images, "fp32" or "bf16". held: what the stages
    of a budget share.
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
    validation_precision: str = "fp32"
    held: Held | None = None
    source: Source = field(default_factory=Source)
    devices: int = 1

    @property
    def steps(self) -> int:
        """Total number of steps of the recipe."""
        return total_steps(self.recipe.epochs, self.feed.steps)

    @property
    def device_name(self) -> str:
        return device.name_of(self.device)

    def image_size(self, progress: float) -> Size:
        """Return the size of training images at a progress in [0, 1)."""
        return size_at(self.recipe, progress, self.data.size)

    def fed_by(
        self, arrays: NDArray[Any], labels: NDArray[np.int64], indices: NDArray[np.int64]
    ) -> Feed:
        """Return a feed of features or activations in place of images; the job's own is closed.

        arrays: one row for each label. indices: rows that are used.
        """
        self.feed.close()
        return Feed(
            arrays,
            labels,
            indices,
            classes=len(self.data.classes),
            batch_size=self.recipe.batch_size,
            seed=self.recipe.seed,
            device=self.device,
            balanced=self.recipe.balance == "sample",
        )

    def learner(self, progress: Progress) -> Learner:
        """Bind loss, optimizer and schedule to the model; `progress` logs a lack of memory.

        Raises UsageError where several devices cannot train it.
        """
        if self.devices == 1:
            return self.new_learner(progress.say)
        learner = self.new_learner(progress.say, kind=Leader)
        assert isinstance(learner, Leader)
        learner.world = self.devices
        learner.division(self.recipe.batch_size, self.devices)
        return learner

    def processes(self, run: Run, learner: Learner) -> AbstractContextManager[None]:
        """Return the context in which the other processes follow a learner of this job."""
        return leading(run, learner, self.feed, self.source)

    def new_learner(
        self, say: Callable[[str], None] = lambda _: None, *, kind: type[Learner] = Learner
    ) -> Learner:
        """Bind loss, optimizer and schedule to the model.

        say: logs a line. kind: the class of the learner. Raises UsageError for an option out of
        range.
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
        return kind(
            self.model,
            optimizer,
            self._balanced(loss),
            schedule,
            self.recipe.resolution.resolve(),
            precision="fp32" if self.strategy.frozen else self.precision,
            average=self.recipe.ema,
            micro_batch=self.recipe.micro_batch,
            compiled=self.compiled,
            say=say,
        )

    def _balanced(self, loss: Loss) -> Loss:
        """Return the loss, with weights of the classes where the recipe says so."""
        if self.recipe.balance != "weights":
            return loss
        labels = self.training.labels[self.training.indices]
        weights = data.class_weights(labels, len(self.data.classes))
        return weighted(loss, torch.from_numpy(weights))

    def watch(self, progress: Progress, remedy: str, *, adapts: bool) -> ThreadLimit:
        """Return the context that limits threads beside competing processes."""
        return ThreadLimit(progress.say, remedy, adapts=adapts)


def prepare(
    recipe: Recipe,
    options: Options,
    progress: Progress | None,
    weights: WeightsFile | None = None,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the model, choose precision and algorithms, and report each choice.

    weights: the file of pretrained weights, if any. before: run.json of a run to resume, which has
    precision and algorithms.
    """
    chosen = devices.choose(options, recipe)
    chosen_device = chosen.own
    if options.compiled:
        device.need_compiler(chosen_device)
    threads = device.use_threads(devices.threads(options, chosen))
    device.keep_freed_memory()
    strategy = network.strategy_of(recipe)
    need_fitting(recipe, strategy)
    dataset = data.load(recipe.data, options.source)
    training, validation = data.split(dataset, recipe)
    training = data.limited(training, recipe.limit, recipe.seed)
    model, transfer = _model(recipe, dataset, training, weights)
    summary = size_checks.summary(recipe, model, dataset.size)
    size_checks.need_several_images(recipe, model, summary.size)
    model = model.to(chosen_device)
    feed = _feed(recipe, dataset, training, chosen)
    before = before or sent_choices(chosen_device, threads)
    precision, reason = choose_precision(recipe, before, model, feed, options.source.cache)
    algorithms = before.get("algorithms", {}) if before else {}
    if not before and not strategy.frozen and not options.compiled:
        algorithms = choose_algorithms(recipe, model, summary, feed, precision, options)
    autotune.use(model, training_sizes(recipe, summary.size), algorithms)
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    fast = {"fast_validation": True} if options.fast_validation and strategy.pretrained else {}
    job = Job(
        recipe, strategy, dataset, training, validation, model, summary, feed, chosen_device,
        threads, precision, algorithms, folder, options.compiled, transfer | fast,
        precision if options.fast_validation else "fp32", options.held, options.source,
        1 if options.following else chosen.world,
    )  # fmt: skip
    if progress:
        _report(job, progress, reason)
    return job


def _feed(recipe: Recipe, dataset: DataSet, training: Split, chosen: Devices) -> Feed:
    return Feed(
        training.pixels,
        training.labels,
        training.indices,
        classes=len(dataset.classes),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        device=chosen.own,
        augment=augment.pipeline(recipe.augment),
        balanced=recipe.balance == "sample",
        prefetch=0 if chosen.local > 1 and chosen.own.type == "cpu" else None,
    )


def _model(
    recipe: Recipe, dataset: DataSet, training: Split, weights: WeightsFile | None
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network, and facts for run.json about its pretrained weights."""
    classes, size = len(dataset.classes), dataset.size
    if weights is None:
        model = network.build(recipe, classes=classes, size=size)
        first_layers.fit(model, training)
        return model, {}
    input_size = network.input_size_for(recipe, size, weights)
    model = network.build(
        recipe, classes=classes, size=size, layout=weights.layout, input_size=input_size
    )
    assert isinstance(model, Transfer)
    notes = load_weights(model.backbone, recipe.model, weights)
    facts = weights.to_json() | {"input_size": input_size.plain}
    return model, {"weights": facts | ({"notes": notes} if notes else {})}


def _report(job: Job, progress: Progress, reason: str) -> None:
    together = f"{job.devices} processes, each with " if job.devices > 1 else ""
    name = device.name_of(job.device)
    progress.say(f"device     {name}, {together}{job.threads} threads; {reason}")
    describe_data(job.data, job.training, job.validation, progress)
    for note in job.transfer.get("weights", {}).get("notes", ()):
        progress.say(f"weights    {note}")
    progress.say(
        f"model      {job.recipe.model}: {job.summary.parameters:,} parameters, "
        f"{job.summary.macs / 1e6:,.1f} M multiply-accumulates per image"
    )
