"""Choose precision and convolution algorithms of a job, or take those of the run to resume.

A study on a cluster chooses once, and sends its choices to every node (`machine.CHOICES`).
"""

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hundredfold import machine, models
from hundredfold.compute import autotune, precision
from hundredfold.compute.replicas import split_work
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.recipe import Recipe
from hundredfold.size import Size, SizeLike
from hundredfold.training.options import Options


def sent_choices(device: torch.device, threads: int) -> dict[str, Any] | None:
    """Return "precision" and "algorithms" that another process has chosen for this kind of machine.

    None where there are none, and on a GPU, another processor, or with other threads.
    """
    path = os.environ.get(machine.CHOICES)
    if not path or device.type != "cpu":
        return None
    choices: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    here = {"chip": machine.chip(), "torch": version("torch"), "threads": threads}
    return choices if all(choices.get(key) == value for key, value in here.items()) else None


def choose_precision(
    recipe: Recipe, before: Mapping[str, Any] | None, model: nn.Module, feed: Feed, cache: Path
) -> tuple[str, str]:
    """Return "fp32" or "bf16", and the reason.

    before: run.json of a run to resume, which decides.
    """
    if before:
        return before["precision"], f"{before['precision']}, as chosen before"
    if recipe.precision != "auto":
        return recipe.precision, f"{recipe.precision}, as the recipe says"
    batch = next(feed.epoch(0))
    count = recipe.micro_batch or recipe.batch_size
    pixels, classes = Size(*batch.images.shape[2:]), batch.labels.shape[-1]
    key = f"{recipe.model} {recipe.strategy} {count} {pixels} {classes}"
    return precision.choose(model, batch.images[:count], batch.labels[:count], cache=cache, key=key)


def choose_algorithms(
    recipe: Recipe,
    model: nn.Module,
    summary: models.Summary,
    feed: Feed,
    dtype: str,
    options: Options,
) -> autotune.Plan:
    """Return the algorithms of the model's convolutions; {} is the library for all.

    dtype: "fp32" or "bf16". Timing trials run on a CPU, and only for trainings that are long
    enough for them to pay.
    """
    images = round(recipe.epochs * feed.steps * recipe.batch_size)
    on_cpu = next(model.parameters()).device.type == "cpu"
    if not on_cpu or not autotune.pays(summary.macs, images):
        return {}
    return autotune.choose(
        model,
        training_sizes(recipe, summary.size),
        split_work(model, recipe.batch_size, recipe.micro_batch),
        dtype,
        cache=options.source.cache,
        seconds=options.autotune_seconds,
    )


def training_sizes(recipe: Recipe, size: SizeLike) -> set[Size]:
    """Return the sizes at which a recipe trains on images of `size` pixels."""
    return {size_at(recipe, progress / 100, Size.of(size)) for progress in range(100)}


def size_at(recipe: Recipe, progress: float, size: Size) -> Size:
    """Return the size at which a recipe trains on images of a size, at a progress in [0, 1)."""
    return Size.of(recipe.resolution.resolve()(progress, size.given))
