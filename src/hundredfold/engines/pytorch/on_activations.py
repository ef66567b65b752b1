"""Train the last groups of a network on stored activations of the groups before.

The frozen groups take most of the arithmetic. They are computed once for each fixed version of each
image; the loop then trains the other groups on arrays in memory, in float16.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hundredfold import data, machine, wording
from hundredfold.compute.precision import autocast
from hundredfold.data import Split
from hundredfold.engines.pytorch.features import View
from hundredfold.engines.pytorch.held import Maps, as_maps, pixels_of
from hundredfold.engines.pytorch.job import Job
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError
from hundredfold.size import Size

BATCH = 32  # images per forward pass
_MEMORY = 0.4  # of the free memory, at most
_VIEW_BLOCK = 512  # images that a version is drawn for together


def with_activations(job: Job, folded: Transfer, views: list[View], *, zeros: bool = False) -> Job:
    """Return a job whose feed and validation images are activations.

    folded: the network with BatchNorm folded. views: the versions of each training image.
    zeros: put zeros in place of activations, to time the loop.
    Raises UsageError where they do not fit in memory.
    """
    training, validation = job.training, job.validation
    count = len(views) * len(training) + len(validation)
    channels, height, width = shape(job, folded)
    _need_memory(2 * count * channels * height * width)
    if zeros:
        maps: Maps = np.zeros((len(views) * len(training), height, width, channels), np.float16)
        checked: Maps = np.zeros((len(validation), height, width, channels), np.float16)
    else:
        with data.progress("computing activations", count, count=True) as advance:
            parts = [_maps(job, folded, training, v, job.precision, advance) for v in views]
            precision = job.validation_precision
            checked = _maps(job, folded, validation, View(), precision, advance)
        maps = np.concatenate(parts) if len(parts) > 1 else parts[0]
    tiled = np.tile(training.labels[training.indices], len(views))
    feed = job.fed_by(maps, tiled, np.arange(len(maps)))
    labels = validation.labels[validation.indices]
    compact = Split(checked, labels, np.arange(len(labels)))  # type: ignore[arg-type]
    return replace(job, feed=feed, validation=compact)


def shape(job: Job, folded: Transfer) -> tuple[int, int, int]:
    """Return channels, height and width of an image's activations."""
    image = pixels_of(job.training.pixels[job.training.indices[:1]])
    height, width, channels = _activations(job, folded, image, job.precision).shape[1:]
    return channels, height, width


def key_of(job: Job, split: Split, view: View, precision: str, size: Size) -> tuple[object, ...]:
    """Return what determines the activations of a version of a split's images within a process."""
    part = "validation" if split is job.validation else "train"
    rows = hash(split.indices.tobytes())
    version = (view.number, view.text if view.number else "")
    return (str(job.recipe.model), job.data.digest, part, rows, version, precision, size)


def _maps(
    job: Job,
    folded: Transfer,
    split: Split,
    view: View,
    precision: str,
    advance: Callable[[int], object],
) -> Maps:
    """Return the activations (n, height, width, channels) of a version of a split's images."""
    key = key_of(job, split, view, precision, folded.input_size)
    if job.held and key in job.held.maps and job.held.groups == job.strategy.groups:
        advance(len(split))
        return job.held.maps[key]
    channels, height, width = shape(job, folded)
    maps = np.empty((len(split), height, width, channels), np.float16)
    for start in range(0, len(split), _VIEW_BLOCK):
        rows = split.indices[start : start + _VIEW_BLOCK]
        images = view.apply(pixels_of(split.pixels[rows]), start)
        for first in range(0, len(images), BATCH):
            batch = images[first : first + BATCH]
            into = maps[start + first : start + first + len(batch)]
            into[:] = _activations(job, folded, batch, precision)
            advance(len(batch))
    return maps


def _activations(job: Job, folded: Transfer, images: Tensor, precision: str) -> Maps:
    with torch.inference_mode(), autocast(job.device, precision):
        return as_maps(folded.activations(images.to(job.device)))


def _need_memory(size: int) -> None:
    free = machine.free_memory()
    if size > _MEMORY * free:
        raise UsageError(
            f"the activations take {wording.memory(size)}, and {wording.memory(free)} are free",
            remedy="--set strategy.views=1, a smaller strategy.input_size, or --set limit=2000",
        )
