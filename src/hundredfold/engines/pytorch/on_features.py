"""What a pretrained backbone needs before the loop: features, and the head to begin with.

With a frozen backbone the loop trains the head alone, on features from the cache. With one
that is trained, features serve to begin with a good head, and the loop sees images.
"""

import copy
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold import augment, spec
from hundredfold.compute.precision import autocast
from hundredfold.data import Split
from hundredfold.engines.pytorch.closed_form import solve
from hundredfold.engines.pytorch.features import View, Wanted, compute, lacking
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.job import Job
from hundredfold.models._fold import fold
from hundredfold.models.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.training.progress import Progress

BATCH = 32  # images at a time: DenseNet-169 at 96 px does 33/s so, by 8 it does 25, by 128 27
_SOME = 2000  # about so many images set a drawn head's standard


def compute_features(job: Job, cache: Path, progress: Progress) -> Job:
    """Return a job ready for its loop, computing what features it needs.

    A job without a `transfer` is returned as it is.
    """
    model = job.model
    if not isinstance(model, Transfer):
        return job
    began = time.monotonic()
    sets, validation = [], job.validation
    for split, precision, wanted in _asked(job, model):
        extracting = partial(extract, folded(model), job.device, precision)
        found = compute(extracting, wanted, cache)
        if split is job.validation:
            validation = replace(validation, pixels=found)  # type: ignore[arg-type]
        else:
            sets.append(found)
            rows = wanted.rows
    seconds = time.monotonic() - began
    told = f"{len(rows):,} images, {len(sets)} view{'s'[: len(sets) - 1]}, {seconds:.1f} s"
    progress.say(f"features   {model.standard.mean.numel():,} of each of {told}")
    model.standard.set(torch.from_numpy(sets[0][rows]))
    solves = model.start != "drawn"
    heads_found = _begin_head(job, model, sets[0], validation, cache) if solves else {}
    for name, share in heads_found.items():
        progress.say(f"head       {name}: {share:.2%} of the validation images right")
    facts = {"features_seconds": round(seconds, 3), "heads": heads_found}
    job = replace(job, transfer=dict(job.transfer) | facts)
    return _on_features(job, sets, validation) if model.frozen else job


def feature_seconds(job: Job, cache: Path) -> float:
    """Return the seconds that a job's features would take, those in the cache none.

    Nothing is written.
    """
    model = job.model
    if not isinstance(model, Transfer):
        return 0.0
    images: Counter[str] = Counter()
    for _, precision, wanted in _asked(job, model):
        images[precision] += lacking(wanted, cache)
    some = np.array(job.training.pixels[job.training.indices[:BATCH]])
    batch = torch.from_numpy(some).permute(0, 3, 1, 2)
    lighter, seconds = folded(model), 0.0
    for precision, count in (+images).items():  # those of which some are lacking
        extract(lighter, job.device, precision, batch)
        began = time.monotonic()
        extract(lighter, job.device, precision, batch)
        seconds += (time.monotonic() - began) * count / len(batch)
    return seconds


def dry_run(job: Job) -> Job:
    """Return a job with zeros for the features that its loop needs."""
    model = job.model
    if not (isinstance(model, Transfer) and model.frozen):
        return job
    shape = (len(job.training.labels), model.standard.mean.numel())
    sets = [np.zeros(shape, np.float32)] * model.views
    held: NDArray[Any] = np.zeros((len(job.validation.labels), shape[1]), np.float32)
    return _on_features(job, sets, replace(job.validation, pixels=held))


def _asked(job: Job, model: Transfer) -> Iterator[tuple[Split, str, Wanted]]:
    """Yield the features that a job needs, with their split and their precision.

    A set of training images for each view, then one of validation images.
    """
    solves = model.start != "drawn"
    rows = job.training.indices
    if not (model.frozen or solves):
        rows = rows[:: max(1, len(rows) // _SOME)]
    for view in _views(model, job.recipe):
        split, precision = job.training, job.precision
        yield split, precision, _wanted(job, model, split, rows, view, precision)
    if model.frozen or solves:
        split = job.validation
        yield split, "fp32", _wanted(job, model, split, split.indices, View(), "fp32")


def _views(model: Transfer, what: Recipe) -> list[View]:
    augmented = augment.pipeline(spec.parse_chain(what.augment)) if what.augment else None
    more = [View(number, what.augment, augmented) for number in range(1, model.views)]
    return [View(), *more]


def _wanted(
    job: Job,
    model: Transfer,
    split: Split,
    rows: NDArray[np.int64],
    view: View,
    precision: str,
) -> Wanted:
    options = spec.parse(job.recipe.model).options
    decisive = [options[name] for name in ("backbone", "weights", "form", "cut")]
    part = "validation" if split is job.validation and "validation" in job.data.parts else "train"
    decisive += [model.resolution, job.data.digest, part, precision]
    return Wanted(split.pixels, rows, model.standard.mean.numel(), view, decisive)


def folded(model: Transfer) -> Transfer:
    """Return the model with less to compute; its features are the same but for rounding."""
    twin = copy.copy(model)
    twin._modules = dict(model._modules)
    twin.backbone = fold(model.backbone)
    return twin


def extract(model: Transfer, device: torch.device, precision: str, images: Tensor) -> Tensor:
    """uint8 (n, 3, h, w) -> features (n, channels)."""
    parts = []
    with torch.inference_mode(), autocast(device, precision):
        for some in torch.split(images, BATCH):
            parts.append(model.features(some.to(device)).float())
    return torch.cat(parts)


def _begin_head(
    job: Job, model: Transfer, features: NDArray[np.float32], validation: Split, cache: Path
) -> Mapping[str, float]:
    """Solve the head that training begins with; return the validation top-1 of each kind."""
    standard = model.standard.cpu()
    found = solve(
        *_standardised(standard, features, job.training),
        *_standardised(standard, validation.pixels, validation),
        classes=model.classifier.out_features,
        seed=job.recipe.seed,
        cache=cache,
    )
    model.standard.to(job.device)
    weight, bias = found.dense[model.start]
    with torch.no_grad():
        model.classifier.weight.copy_(weight)
        model.classifier.bias.copy_(bias)
    return found.right


def _standardised(
    standard: torch.nn.Module, features: NDArray[Any], split: Split
) -> tuple[Tensor, Tensor]:
    rows = split.indices
    with torch.no_grad():
        found = standard(torch.from_numpy(np.asarray(features)[rows]))
    return found, torch.from_numpy(split.labels[rows])


def _on_features(job: Job, sets: list[NDArray[np.float32]], validation: Split) -> Job:
    """Return the job with features in the place of images; every view counts as an image."""
    training, count = job.training, len(job.training.labels)
    indices = [training.indices + number * count for number in range(len(sets))]
    joined: NDArray[Any] = sets[0] if len(sets) == 1 else np.concatenate(sets)
    feed = Feed(
        joined,
        np.tile(training.labels, len(sets)),
        np.concatenate(indices),
        classes=len(job.data.classes),
        batch_size=job.recipe.batch_size,
        seed=job.recipe.seed,
        device=job.device,
    )
    job.feed.close()
    return replace(job, feed=feed, validation=validation)
