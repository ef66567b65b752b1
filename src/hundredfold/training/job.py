"""From a recipe to all that it stands for, in memory and on the device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hundredfold import augment, call, data, models, recipe, run
from hundredfold.data import DataSet, Source, Split
from hundredfold.errors import UsageError
from hundredfold.feed import Feed
from hundredfold.models.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.training import device, forms, frozen, precision
from hundredfold.training.learner import Learner
from hundredfold.training.progress import Progress
from hundredfold.training.team import share

if TYPE_CHECKING:
    from hundredfold.training import engine

_FITTED_ON = 10_000  # training images that the first layer's scaling is fitted on


@dataclass(frozen=True)
class Options:
    """How a training is carried out; nothing here belongs to the recipe.

    weights: the file, or a folder of files, that a `transfer` begins with.
    compiled: whether torch.compile makes the step, see `Learner`.
    """

    source: Source
    device: str = "auto"
    threads: int = 0
    out: Path = run.RUNS
    name: str = ""
    probing: float = 30.0  # seconds, at most, to find the fastest forms of convolutions
    weights: Path | None = None
    compiled: bool = False


@dataclass(frozen=True)
class Job:
    """All that a recipe stands for, in memory and on the device."""

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
    forms: forms.Plan
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

    def learner(self) -> Learner:
        """Bind loss, optimizer and schedule to the model.

        Raises UsageError where one of them has an option that is out of range.
        """
        what = self.recipe
        loss = call.resolve(call.parse(what.loss), recipe.PACKAGES["loss"])
        schedule = call.resolve(call.parse(what.schedule), recipe.PACKAGES["schedule"])
        optimizer = call.resolve(call.parse(what.optimizer), recipe.PACKAGES["optimizer"])
        try:
            schedule(0.0)
            loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
            bound = optimizer(self.model)
            if isinstance(self.model, Transfer):
                bound = bound.rescaled(dict(self.model.rates()))
        except (ValueError, RuntimeError) as error:
            raise UsageError(
                f"the recipe's {what.optimizer} with {what.loss} will not do", found=str(error)
            ) from None
        return Learner(
            self.model,
            bound,
            loss,
            schedule,
            call.resolve(call.parse(what.resolution), recipe.PACKAGES["resolution"]),
            precision="fp32" if _is_frozen(self.model) else self.precision,
            average=what.ema,
            micro_batch=what.micro_batch,
            compiled=self.compiled,
        )


def prepare(
    what: Recipe,
    options: Options,
    progress: Progress | None,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the model, choose precision and forms, saying each aloud.

    before: precision and forms that are chosen already, as in run.json of a run to resume.
    """
    place = device.choose(options.device)
    if options.compiled:
        device.need_compiler(place)
    threads = device.use_threads(options.threads)
    device.keep_freed_memory()
    found = data.load(what.data, options.source)
    training, validation = data.training(found, share=what.validation, seed=what.seed)
    training = limited(training, what.limit, what.seed)
    model = models.build(
        call.parse(what.model), classes=len(found.classes), size=found.size, seed=what.seed
    )
    weights = {}
    if isinstance(model, Transfer):  # what was fitted before, its weights are used to
        weights = frozen.begin(model, what, options.weights, options.source)
    else:
        _fit_layers(model, _sample(training))
    summary = _summary(what, model, found.size)
    model = model.to(place)
    feed = Feed(
        training.pixels,
        training.labels,
        training.indices,
        classes=len(found.classes),
        batch_size=what.batch_size,
        seed=what.seed,
        device=place,
        augment=augment.pipeline(call.parse_chain(what.augment)),
    )
    chosen, why = _precision(what, before, model, feed, options.source.cache)
    plan = _forms(what, before, model, summary, feed, chosen, options)
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    made = (model, summary, feed, place, threads, chosen, plan, folder, options.compiled)
    transfer = {"weights": weights} if weights else {}
    job = Job(what, found, training, validation, *made, transfer)
    if progress:
        _say(job, progress, why)
    return job


def _say(job: Job, progress: Progress, why: str) -> None:
    progress.say(f"device     {device.name_of(job.device)}, {job.threads} threads; {why}")
    progress.say(
        f"data       {job.data.name}: {len(job.training.indices):,} training and "
        f"{len(job.validation.indices):,} validation images of {job.data.size} px in "
        f"{len(job.data.classes)} classes; the test split stays closed"
    )
    for note in job.data.notes:
        progress.say(f"checked    {note}")
    progress.say(
        f"model      {job.recipe.model}: {job.summary.parameters:,} parameters, "
        f"{job.summary.macs / 1e6:,.1f} M multiply-accumulates an image"
    )


def job_facts(job: "engine.Job") -> dict[str, Any]:
    """Return what run.json says of the job before its first step."""
    found = job.data
    return {
        "parameters": job.summary.parameters,
        "macs": job.summary.macs,
        "device": job.device_name,
        "threads": job.threads,
        "precision": job.precision,
        "forms": dict(job.forms),
        "compiled": job.compiled,
        "steps_per_epoch": job.feed.steps,
        **job.transfer,
        "data": {
            "name": found.name,
            "digest": found.digest,
            "classes": list(found.classes),
            "superclasses": list(found.superclasses),
            "superclass_of": list(found.superclass_of),
            "size": found.size,
            "folder": job.folder,
            "train": len(job.training.indices),
            "validation": len(job.validation.indices),
        },
    }


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
    resolution = call.resolve(call.parse(what.resolution), recipe.PACKAGES["resolution"])
    return {resolution(progress / 100, size) for progress in range(100)}


def limited(split: Split, limit: int, seed: int) -> Split:
    """Return at most `limit` of a split's images, drawn by the seed; 0 is all."""
    if not limit or limit >= len(split.indices):
        return split
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    chosen = np.sort(chance.permutation(split.indices)[:limit])
    return Split(split.pixels, split.labels, chosen, split.names)


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


def _forms(
    what: Recipe,
    before: Mapping[str, Any] | None,
    model: nn.Module,
    summary: models.Summary,
    feed: Feed,
    chosen: str,
    options: Options,
) -> forms.Plan:
    """Choose the forms of convolutions where that pays, and let the model take them.

    A compiled step keeps the library's, which the compiler knows.
    """
    sizes = _sizes(what, summary.size)
    images = round(what.epochs * feed.steps * what.batch_size)
    plan: forms.Plan = before.get("forms", {}) if before else {}
    on_cpu = next(model.parameters()).device.type == "cpu"
    pays = on_cpu and not _is_frozen(model) and forms.pays(summary.macs, images)
    if not before and pays and not options.compiled:
        shared = share(model, what.batch_size, what.micro_batch)
        plan = forms.choose(
            model, sizes, shared, chosen, cache=options.source.cache, seconds=options.probing
        )
    forms.use(model, sizes, plan)
    return plan
