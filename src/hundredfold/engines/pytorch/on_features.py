"""Prepare a pretrained network for the loop: compute features and initialise the head.

With a frozen network, the loop trains only the head, on features from the cache. With fine-tuning,
features serve to initialise the head, and the loop trains on images, or on stored activations.
"""

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold import augment, data
from hundredfold.compute.precision import autocast
from hundredfold.data import Split
from hundredfold.engines.pytorch.closed_form import fit_probes
from hundredfold.engines.pytorch.features import Request, View, compute, count_missing
from hundredfold.engines.pytorch.held import Maps, as_maps
from hundredfold.engines.pytorch.job import Job
from hundredfold.engines.pytorch.network import groups_of
from hundredfold.engines.pytorch.on_activations import key_of, with_activations
from hundredfold.engines.pytorch.transfer import Transfer, resized
from hundredfold.models._fold import fold
from hundredfold.training.progress import Progress

BATCH = 32  # images per forward pass: DenseNet-169 at 96 px computes 33/s, and 25/s with 8
_SAMPLE = (
    2000  # images, approximately, that set the standardisation for a randomly initialised head
)


def compute_features(job: Job, cache: Path, progress: Progress) -> Job:
    """Compute the features that a job needs, and return the job for its loop.

    A job without pretrained weights is returned as it is.
    """
    model = job.model
    if not isinstance(model, Transfer):
        return job
    began = time.monotonic()
    views, validation = [], job.validation
    network = folded(model)
    for split, precision, request in _requests(job, model):
        features = _computed(job, network, split, precision, request, cache)
        if split is job.validation:
            validation = replace(validation, pixels=features)  # type: ignore[arg-type]
        else:
            views.append(features)
            rows = request.rows
    seconds = time.monotonic() - began
    plural = "s" if len(views) > 1 else ""
    progress.say(
        f"features   {model.standard.mean.numel():,} of each of {len(rows):,} images, "
        f"{len(views)} view{plural}, {seconds:.1f} s"
    )
    model.standard.set(torch.from_numpy(views[0][rows]))
    probes = (
        _initialise_head(job, model, views[0], validation, cache) if job.strategy.fits_head else {}
    )
    for name, accuracy in probes.items():
        progress.say(f"probe      {name}: accuracy {accuracy:.2%} on the validation images")
    facts = {"features_seconds": round(seconds, 3), "probes": probes}
    job = replace(job, transfer=dict(job.transfer) | facts)
    if job.strategy.on_activations:
        return with_activations(job, _divisible(model), _views(job))
    return _on_features(job, views, validation) if job.strategy.frozen else job


def _computed(
    job: Job, network: Transfer, split: Split, precision: str, request: Request, cache: Path
) -> NDArray[np.float32]:
    """Return features, and hold the activations below them for later stages of a budget."""
    held, groups = job.held, groups_of(job.recipe.model)
    divisible = hasattr(network.backbone, "lower") and groups > (held.groups if held else 0)
    strategy = job.strategy
    parted = strategy.cut or strategy.from_groups
    if held is None or not divisible or not strategy.frozen or parted:
        return compute(partial(extract, network, job.device, precision), request, cache)
    parts: list[Maps] = []
    boundary = groups - held.groups

    def through(images: Tensor) -> Tensor:
        lower = network.backbone.lower(images, boundary)  # type: ignore[operator]
        parts.append(as_maps(lower))
        return network.backbone.upper(lower, boundary)  # type: ignore[operator,no-any-return]

    extracted = partial(extract, network, job.device, precision, through=through)
    features = compute(extracted, request, cache)
    key = key_of(job, split, request.view, precision, network.input_size)
    held.keep(key, parts, len(request.rows))
    return features


def feature_seconds(job: Job, cache: Path) -> float:
    """Estimate the seconds to compute a job's features that are not in the cache.

    It writes nothing.
    """
    model = job.model
    if not isinstance(model, Transfer):
        return 0.0
    images: Counter[str] = Counter()
    for _, precision, request in _requests(job, model):
        images[precision] += count_missing(request, cache)
    sample = np.array(job.training.pixels[job.training.indices[:BATCH]])
    batch = torch.from_numpy(sample).permute(0, 3, 1, 2)
    network, seconds = folded(model), 0.0
    for precision, count in (+images).items():  # precisions with missing features
        extract(network, job.device, precision, batch)
        began = time.monotonic()
        extract(network, job.device, precision, batch)
        seconds += (time.monotonic() - began) * count / len(batch)
    return seconds + _activation_seconds(job, _divisible(model), batch)


def _activation_seconds(job: Job, network: Transfer, batch: Tensor) -> float:
    """Estimate the seconds to compute a job's activations, if it trains on them."""
    if not job.strategy.on_activations:
        return 0.0
    with torch.inference_mode(), autocast(job.device, job.precision):
        network.activations(batch)
        began = time.monotonic()
        network.activations(batch)
    images = job.strategy.views * len(job.training) + len(job.validation)
    return (time.monotonic() - began) * images / len(batch)


def dry_run(job: Job) -> Job:
    """Return a job with zeros in place of the features that its loop needs."""
    model = job.model
    if isinstance(model, Transfer) and job.strategy.on_activations:
        return with_activations(job, _divisible(model), _views(job), zeros=True)
    if not (isinstance(model, Transfer) and job.strategy.frozen):
        return job
    shape = (len(job.training.labels), model.standard.mean.numel())
    views = [np.zeros(shape, np.float32)] * job.strategy.views
    zeros: NDArray[Any] = np.zeros((len(job.validation.labels), shape[1]), np.float32)
    return _on_features(job, views, replace(job.validation, pixels=zeros))


def _requests(job: Job, model: Transfer) -> Iterator[tuple[Split, str, Request]]:
    """Yield the features that a job needs, with their split and precision.

    First training images, one set per view; then validation images.
    """
    needs_all = job.strategy.frozen or job.strategy.fits_head
    rows = job.training.indices
    if not needs_all:
        rows = rows[:: max(1, len(rows) // _SAMPLE)]
    for view in _views(job) if job.strategy.frozen else [View()]:
        split, precision = job.training, job.precision
        yield split, precision, _request(job, model, split, rows, view, precision)
    if needs_all:
        split = job.validation
        precision = job.validation_precision
        yield split, precision, _request(job, model, split, split.indices, View(), precision)


def _views(job: Job) -> list[View]:
    chain = job.recipe.augment
    augmented = augment.pipeline(chain) if chain else None
    others = [View(number, str(chain), augmented) for number in range(1, job.strategy.views)]
    return [View(), *others]


def _request(
    job: Job,
    model: Transfer,
    split: Split,
    rows: NDArray[np.int64],
    view: View,
    precision: str,
) -> Request:
    part = "validation" if split is job.validation and "validation" in job.data.parts else "train"
    weights = job.transfer["weights"]
    identity = [str(job.recipe.model), weights["sha256"], weights["layout"], job.strategy.cut]
    identity += [
        model.input_size.plain,
        job.data.digest,
        part,
        precision,
        *job.strategy.from_groups,
    ]
    if job.strategy.with_maxima:
        identity.append("maxima")
    identity += weights.get("notes", ())  # which of a file's weights were taken
    return Request(split.pixels, rows, model.standard.mean.numel(), view, identity)


def folded(model: Transfer) -> Transfer:
    """Return the model with BatchNorm folded; its features are equal up to rounding."""
    clone = copy.copy(model)
    clone._modules = dict(model._modules)
    clone.backbone = fold(model.backbone)
    return clone


def _divisible(model: Transfer) -> Transfer:
    """Return the model with BatchNorm folded, or as it is where that cannot be divided."""
    clone = folded(model)
    return clone if hasattr(clone.backbone, "lower") else model


def extract(
    model: Transfer,
    device: torch.device,
    precision: str,
    images: Tensor,
    *,
    through: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """uint8 (n, 3, h, w) -> features (n, channels); through: replaces the backbone."""
    parts = []
    backbone = through or model.backbone
    with torch.inference_mode(), autocast(device, precision):
        for batch in torch.split(images, BATCH):
            parts.append(backbone(resized(batch.to(device), model.input_size)).float())
    return torch.cat(parts)


def _initialise_head(
    job: Job, model: Transfer, features: NDArray[np.float32], validation: Split, cache: Path
) -> Mapping[str, float]:
    """Set the head to a fitted probe; return the validation accuracy of each probe."""
    standard = model.standard.cpu()
    training = job.training
    if job.recipe.balance != "none":  # a probe has no weights: small classes repeat
        rng = np.random.default_rng(job.recipe.seed)
        rows = data.balanced_order(training.labels, training.indices, rng)
        training = replace(training, indices=rows)
    probed = (
        *_standardised(standard, features, training),
        *_standardised(standard, np.asarray(validation.pixels), validation),
    )
    if job.held:
        job.held.probed = probed
    fitted = fit_probes(
        *probed,
        classes=model.classifier.out_features,
        seed=job.recipe.seed,
        cache=cache,
    )
    model.standard.to(job.device)
    weight, bias = fitted.heads[fitted.best if job.strategy.head == "best" else job.strategy.head]
    with torch.no_grad():
        model.classifier.weight.copy_(weight)
        model.classifier.bias.copy_(bias)
    return fitted.accuracy


def _standardised(
    standard: torch.nn.Module, features: NDArray[Any], split: Split
) -> tuple[Tensor, Tensor]:
    rows = split.indices
    with torch.no_grad():
        values = standard(torch.from_numpy(np.asarray(features)[rows]))
    return values, torch.from_numpy(split.labels[rows])


def _on_features(job: Job, views: list[NDArray[np.float32]], validation: Split) -> Job:
    """Return the job with features in place of images; every view counts as an image."""
    training, count = job.training, len(job.training.labels)
    indices = [training.indices + number * count for number in range(len(views))]
    features: NDArray[Any] = views[0] if len(views) == 1 else np.concatenate(views)
    feed = job.fed_by(features, np.tile(training.labels, len(views)), np.concatenate(indices))
    return replace(job, feed=feed, validation=validation)
