"""Train the last groups of a network on stored activations of the groups before.

The frozen groups take most of the arithmetic. They are computed once for each fixed version of each
image; the loop then trains the other groups on arrays in memory, in float16.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold import data, machine, wording
from hundredfold.compute.precision import autocast
from hundredfold.data import Split
from hundredfold.engines.pytorch.features import View
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.job import Job
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError

BATCH = 32  # images per forward pass
_MEMORY = 0.4  # of the free memory, at most
_VIEW_BLOCK = 512  # images that a version is drawn for together

Maps = NDArray[np.float16]


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
    feed = Feed(
        maps,  # type: ignore[arg-type]
        np.tile(training.labels[training.indices], len(views)),
        np.arange(len(maps)),
        classes=len(job.data.classes),
        batch_size=job.recipe.batch_size,
        seed=job.recipe.seed,
        device=job.device,
    )
    job.feed.close()
    labels = validation.labels[validation.indices]
    compact = Split(checked, labels, np.arange(len(labels)))  # type: ignore[arg-type]
    return replace(job, feed=feed, validation=compact)


def shape(job: Job, folded: Transfer) -> tuple[int, int, int]:
    """Return channels, height and width of an image's activations."""
    image = _batch(job.training, job.training.indices[:1])
    channels, height, width = _activations(job, folded, image, job.precision).shape[1:]
    return channels, height, width


def _maps(
    job: Job,
    folded: Transfer,
    split: Split,
    view: View,
    precision: str,
    advance: Callable[[int], object],
) -> Maps:
    """Return the activations (n, height, width, channels) of a version of a split's images."""
    blocks = []
    for start in range(0, len(split.indices), _VIEW_BLOCK):
        rows = split.indices[start : start + _VIEW_BLOCK]
        images = view.apply(_batch(split, rows), start)
        for batch in torch.split(images, BATCH):
            blocks.append(_activations(job, folded, batch, precision))
            advance(len(batch))
    channels, height, width = shape(job, folded)
    empty = np.zeros((0, height, width, channels), np.float16)
    return np.concatenate(blocks) if blocks else empty


def _activations(job: Job, folded: Transfer, images: Tensor, precision: str) -> Maps:
    with torch.inference_mode(), autocast(job.device, precision):
        maps = folded.activations(images.to(job.device))
    return maps.half().cpu().permute(0, 2, 3, 1).numpy()


def _batch(split: Split, rows: NDArray[np.int64]) -> Tensor:
    """Return images as uint8 (b, 3, h, w)."""
    return torch.from_numpy(np.array(split.pixels[rows])).permute(0, 3, 1, 2)


def _need_memory(size: int) -> None:
    free = machine.free_memory()
    if size > _MEMORY * free:
        raise UsageError(
            f"the activations take {wording.memory(size)}, and {wording.memory(free)} are free",
            remedy="--set strategy.views=1, a smaller strategy.input_size, or --set limit=2000",
        )
