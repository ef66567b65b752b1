"""Everything around the loop: from a recipe, or a run to resume, to a finished folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hundredfold import augment, call, data, files, models, recipe, run
from hundredfold.data import DataSet, Source, Split
from hundredfold.errors import DataError, HundredfoldError, Interrupted, UsageError
from hundredfold.feed import Feed
from hundredfold.inference import load_weights, logits
from hundredfold.metrics import scores
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training import checkpoint, device, precision, record
from hundredfold.training.fit import Fit
from hundredfold.training.learner import Learner
from hundredfold.training.progress import Progress, clock

_FITTED_ON = 10_000  # training images that the first layer's scaling is fitted on


@dataclass(frozen=True)
class Options:
    """How a training is carried out; nothing here belongs to the recipe."""

    source: Source
    device: str = "auto"
    threads: int = 0
    out: Path = run.RUNS
    name: str = ""


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
    folder: str | None

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
            precision=self.precision,
            average=what.ema,
        )


def prepare(what: Recipe, options: Options, progress: Progress, fixed: str = "") -> Job:
    """Open the data, build the model and choose the precision, saying each aloud.

    fixed: the precision to use, where a run to resume has chosen one before.
    """
    place = device.choose(options.device)
    threads = device.use_threads(options.threads)
    found = data.load(what.data, options.source)
    training, validation = data.training(found, share=what.validation, seed=what.seed)
    training = _limited(training, what.limit, what.seed)
    model = models.build(
        call.parse(what.model), classes=len(found.classes), size=found.size, seed=what.seed
    )
    _fit_layers(model, training)
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
    chosen, why = _precision(what, fixed, model, feed, options.source.cache)
    progress.say(f"device     {device.name_of(place)}, {threads} threads; {why}")
    progress.say(
        f"data       {found.name}: {len(training.indices):,} training and "
        f"{len(validation.indices):,} validation images of {found.size} px in "
        f"{len(found.classes)} classes; the test split stays closed"
    )
    progress.say(
        f"model      {what.model}: {summary.parameters:,} parameters, "
        f"{summary.macs / 1e6:,.1f} M multiply-accumulates an image"
    )
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    return Job(
        what, found, training, validation, model, summary, feed, place, threads, chosen, folder
    )


def train(what: Recipe, options: Options, progress: Progress) -> Run:
    """Train a recipe into a new run's folder and return it.

    Nothing is written before recipe, data and model have been found to fit together.
    """
    job = prepare(what, options, progress)
    learner = job.learner()
    name = options.name or run.default_name(what, job.data.name)
    info = record.start(name, what.digest, job_facts(job))
    made = run.create(options.out, name, what)
    with made.writer():
        made.save_info(info)
        files.write_json(made.folder / "model.json", _model_facts(job.summary))
        return _carry_out(made, job, learner, progress, None)


def resume(made: Run, options: Options, progress: Progress) -> Run:
    """Go on with a run from its newest save, to the same last bit on the same machine.

    The data are looked for where they lay, and as many threads compute, unless the options
    say otherwise. Scores of former weights are removed. Raises UsageError for a run that is
    done, and DataError where the data are others.
    """
    with made.writer():
        info = made.info
        if info["status"] == "done":
            raise UsageError(
                f"the run {str(made.folder)!r} is finished; there is nothing to resume",
                remedy=f"hundredfold evaluate {made.folder} --split test",
            )
        saved = checkpoint.load(made.folder / "state", progress.say)
        job = prepare(made.recipe, _as_before(options, info), progress, info["precision"])
        if job.data.digest != info["data"]["digest"]:
            raise DataError(
                f"the data are not those that {str(made.folder)!r} was trained on",
                found=f"digest {job.data.digest[:12]} instead of {info['data']['digest'][:12]}",
                remedy="--data-dir with the former data, or a new run",
            )
        made.forget_scores()
        made.sweep()
        made.save_info(info | {"status": "running", "reason": "", "threads": job.threads})
        return _carry_out(made, job, job.learner(), progress, saved)


def _as_before(options: Options, info: dict[str, Any]) -> Options:
    """Fill in where the data lay and how many threads computed when the run began."""
    source, folder = options.source, info["data"]["folder"]
    if source.folder is None and folder:
        source = replace(source, folder=Path(folder))
    return replace(options, source=source, threads=options.threads or int(info["threads"]))


def _carry_out(
    made: Run, job: Job, learner: Learner, progress: Progress, saved: checkpoint.Saved | None
) -> Run:
    progress.log_to(made.log)
    progress.say(f"run        {made.folder}")
    what = job.recipe
    fit = Fit(made, what, learner, job.feed, job.validation, progress)
    fit.restore(saved)
    if saved:
        progress.say(f"resumed    in epoch {fit.position.epoch + 1}, step {fit.position.step}")
    patience = f"; stops after {what.patience} without a better {what.select}"
    progress.say(
        f"plan       up to {what.epochs} epochs of {job.feed.steps} steps of {what.batch_size}"
        f"{patience if what.patience and what.select != 'last' else ''}"
    )
    with _recorded(made, job, fit, progress), job.feed:
        reason = fit()
        _keep_weights(made, job, fit)
        _score(made, job, fit)
        _note(made, fit, "done", reason)
        _say_result(made, fit, progress, reason)
    return made


@contextmanager
def _recorded(made: Run, job: Job, fit: Fit, progress: Progress) -> Iterator[None]:
    """Leave a true status and the best weights whatever ends the training."""
    try:
        yield
    except Interrupted as error:
        _keep_weights(made, job, fit)
        _note(made, fit, "stopped", error.message)
        raise
    except HundredfoldError as error:
        _keep_weights(made, job, fit)
        _note(made, fit, "failed", error.message)
        raise
    except BaseException as error:
        _note(made, fit, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        progress.close()


def _keep_weights(made: Run, job: Job, fit: Fit) -> None:
    """Write weights/best, and weights/last where it is finite."""
    metadata = {
        "format": "hundredfold 1",
        "model": job.recipe.model,
        "classes": json.dumps(job.data.classes, ensure_ascii=False),
        "size": str(job.data.size),
        "recipe_digest": job.recipe.digest,
        "data_digest": job.data.digest,
    }
    last = fit.learner.weights()
    finite = all(t.isfinite().all() for t in last.values() if t.is_floating_point())
    if finite:
        files.write(made.last(), checkpoint.weights_bytes(last, metadata | _epoch(fit)))
    if fit.best.weights:
        best = metadata | {"epoch": str(fit.best.epoch)}
        files.write(made.best(), checkpoint.weights_bytes(fit.best.weights, best))


def _epoch(fit: Fit) -> dict[str, str]:
    return {"epoch": str(fit.position.epoch)}


def _score(made: Run, job: Job, fit: Fit) -> None:
    """Score the best weights on the validation images, in fp32."""
    load_weights(fit.learner.model, dict(fit.best.weights), "memory")
    split = job.validation
    found = logits(fit.learner.model, split.pixels, split.indices, device=job.device)
    labels = split.labels[split.indices]
    made.save_logits("validation", found, labels, split.indices)
    values = scores(found, labels, superclass_of=job.data.superclass_of)
    made.save_scores({f"validation.{name}": score.to_json() for name, score in values.items()})


def _note(made: Run, fit: Fit, status: str, reason: str) -> None:
    made.save_info(made.info | record.end(fit, status, reason))


def _say_result(made: Run, fit: Fit, progress: Progress, reason: str) -> None:
    score = made.scores["validation.top_1"]
    progress.say(
        f"done       {reason}, {clock(fit.position.seconds)}; best epoch {fit.best.epoch}: "
        f"{score['value']:.2%} of {score['n']:,} validation images right "
        f"(95 % interval {score['low']:.2%} to {score['high']:.2%})"
    )
    progress.say(f"next       hundredfold evaluate {made.folder} --split test")


def job_facts(job: Job) -> dict[str, Any]:
    """Return what run.json says of the job before its first step."""
    found = job.data
    return {
        "parameters": job.summary.parameters,
        "macs": job.summary.macs,
        "device": device.name_of(job.device),
        "threads": job.threads,
        "precision": job.precision,
        "steps_per_epoch": job.feed.steps,
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


def _model_facts(summary: models.Summary) -> dict[str, Any]:
    facts = summary.as_json()
    return {"rows": facts.pop("layers"), **facts}


def _summary(what: Recipe, model: nn.Module, size: int) -> models.Summary:
    """Count the model, and see that it takes every size that it will be trained on."""
    resolution = call.resolve(call.parse(what.resolution), recipe.PACKAGES["resolution"])
    smaller = {resolution(progress / 100, size) for progress in range(100)} - {size}
    for small in sorted(smaller):
        try:
            models.summary(model, small)
        except RuntimeError:
            raise UsageError(
                f"{what.model} does not take {small} pixels, where {what.resolution} begins",
                remedy='--resolution full, or a model with global pooling such as "resnet"',
            ) from None
    return models.summary(model, size)


def _limited(split: Split, limit: int, seed: int) -> Split:
    if not limit or limit >= len(split.indices):
        return split
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    chosen = np.sort(chance.permutation(split.indices)[:limit])
    return Split(split.pixels, split.labels, chosen, split.names)


def _fit_layers(model: nn.Module, split: Split) -> None:
    """Fit the layers that have a `fit` on training images, spread over the split."""
    rows = split.indices[:: max(1, len(split.indices) // _FITTED_ON)]
    images = torch.from_numpy(np.asarray(split.pixels)[rows]).permute(0, 3, 1, 2)
    for module in model.modules():
        fit = getattr(module, "fit", None)
        if callable(fit):
            fit(images)


def _precision(
    what: Recipe, fixed: str, model: nn.Module, feed: Feed, cache: Path
) -> tuple[str, str]:
    if fixed:
        return fixed, f"{fixed}, as this run began"
    if what.precision != "auto":
        return what.precision, f"{what.precision}, as the recipe says"
    batch = next(feed.epoch(0))
    key = f"{what.model} {what.batch_size} {batch.images.shape[-1]} {batch.labels.shape[-1]}"
    return precision.choose(model, batch.images, batch.labels, cache=cache, key=key)
