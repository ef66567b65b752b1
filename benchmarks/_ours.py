"""Our side: the step of `hundredfold train`, with all that it does for speed."""

from typing import Any

import torch
from _common import Side, Work
from torch import nn
from torch.nn import functional

from hundredfold import machine, models, recipe, spec
from hundredfold.compute import autotune
from hundredfold.compute.device import keep_freed_memory
from hundredfold.compute.replicas import share
from hundredfold.data import Source
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.recipe import Recipe

CLASSES, PIXELS = 100, 32


def side(given: tuple[Any, ...], threads: int) -> Side:
    """Return a process that waits as the command line does and makes `work(*given)`."""
    return Side(work, given, threads, machine.WAITING)


def work(
    what: Recipe,
    size: int,
    precision: str,
    library: bool = False,
    default_memory: bool = False,
    in_turn: bool = False,
) -> Work:
    """Return a recipe's step on uint8 images of 32 px that it brings to `size` itself.

    library: leave every convolution as the library's. default_memory: and the C library's
    ways with freed memory as they are. in_turn: pieces of a batch one after another, each by
    all threads.
    """
    if not default_memory:
        keep_freed_memory()
    learner = _learner(what, size, precision, library, in_turn)
    batch = what.batch_size
    images = _pixels(batch)
    targets = functional.one_hot(torch.randint(0, CLASSES, (batch,)), CLASSES).float()

    def step() -> float:
        float(learner.step(images, targets, 0.5, 1)[0])
        return batch

    return step


def _learner(what: Recipe, size: int, precision: str, library: bool, in_turn: bool) -> Learner:
    model = models.build(spec.parse(what.model), classes=CLASSES, size=PIXELS, seed=0)
    if hasattr(model, "fit"):
        model.fit(_pixels(256))
    if not library:
        use_forms(model, what, size, precision, in_turn=in_turn)
    loss, optimizer, schedule = (
        spec.resolve(spec.parse(getattr(what, field)), recipe.PACKAGES[field])
        for field in ("loss", "optimizer", "schedule")
    )
    return Learner(
        model, optimizer(model), loss, schedule, lambda progress, given: size,  # noqa: ARG005
        precision=precision, micro_batch=what.micro_batch, in_turn=in_turn,
    )  # fmt: skip


def use_forms(
    model: nn.Module, what: Recipe, size: int, precision: str, *, in_turn: bool = False
) -> None:
    """Let the convolutions take the forms that a training's probe finds, or has found before."""
    shared = share(model, what.batch_size, what.micro_batch, in_turn=in_turn or None)
    plan = autotune.choose(model, [size], shared, precision, cache=Source().cache)
    autotune.use(model, [size], plan)


def macs(what: Recipe, size: int) -> int:
    """Return the multiply-accumulates of a recipe's network for one image of that size."""
    outline = models.outline(spec.parse(what.model), classes=CLASSES, size=PIXELS)
    return models.summary(outline, size).macs


def _pixels(count: int) -> torch.Tensor:
    shape = (count, PIXELS, PIXELS, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8).permute(0, 3, 1, 2)
