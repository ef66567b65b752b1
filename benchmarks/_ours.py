"""Our side: the step of `hundredfold train`, and all else that a benchmark takes from Hundredfold.

The other benchmarks import Hundredfold's parts from here, so that a part that moves is found
anew in one place.
"""

from typing import Any

import torch
from _common import Side, Work
from torch import nn
from torch.nn import functional

from hundredfold import call, data, machine, models, recipe, run, wording
from hundredfold.augment import pipeline
from hundredfold.call import Call, parse_chain
from hundredfold.comparison._paired import t_interval
from hundredfold.data import Source, Split, _descriptor, _near
from hundredfold.feed import Feed
from hundredfold.inference import autocast
from hundredfold.models.transfer import Transfer, resized
from hundredfold.recipe import Recipe
from hundredfold.training import device, forms, frozen, seconds_of
from hundredfold.training.device import keep_freed_memory
from hundredfold.training.learner import Learner
from hundredfold.training.team import share

__all__ = [
    "CLASSES", "CLI", "FIRST_STEP", "NO_PROBE", "PIXELS", "Call", "Feed", "Recipe", "Source",
    "Split", "Transfer", "_descriptor", "_near", "a_batch", "autocast", "call", "captured",
    "data", "device", "frozen", "learner", "machine", "macs", "models", "parse_chain", "pipeline",
    "pixels", "recipe", "resized", "run", "seconds_of", "side", "t_interval", "use_forms",
    "wording", "work",
]  # fmt: skip

CLASSES, PIXELS = 100, 32

CLI = "import sys\n{before}\nfrom hundredfold import cli\nsys.exit(cli.main(sys.argv[1:]))"
NO_PROBE = "from hundredfold.training import forms; forms.pays = lambda macs, images: False"
FIRST_STEP = """
import os, sys
from hundredfold import cli
from hundredfold.training.learner import Learner
step = Learner.step
Learner.step = lambda *given: (step(*given), os._exit(0))
sys.exit(cli.main(sys.argv[1:]))
"""


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
    on: str = "cpu",
    compiled: bool = False,
) -> Work:
    """Return a recipe's step on uint8 images of 32 px that it brings to `size` itself.

    library: leave every convolution as the library's. default_memory: and the C library's
    ways with freed memory as they are. in_turn: micro-batches one after another, each by all
    threads. on: the device. compiled: torch.compile makes the step.
    """
    if not default_memory:
        keep_freed_memory()
    ours = learner(what, size, precision, library, in_turn, on=on, compiled=compiled)
    batch = what.batch_size
    images, targets = a_batch(batch, on)

    def step() -> float:
        float(ours.step(images, targets, 0.5, 1)[0])
        return batch

    return step


def a_batch(batch: int, on: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Return random images (batch, 3, 32, 32), uint8, and targets (batch, classes)."""
    labels = torch.randint(0, CLASSES, (batch,))
    return pixels(batch).to(on), functional.one_hot(labels, CLASSES).float().to(on)


def learner(
    what: Recipe,
    size: int,
    precision: str,
    library: bool = False,
    in_turn: bool = False,
    *,
    on: str = "cpu",
    compiled: bool = False,
) -> Learner:
    """Return what trains a recipe's network on random images; see `work`."""
    model = models.build(call.parse(what.model), classes=CLASSES, size=PIXELS, seed=0)
    if hasattr(model, "fit"):
        model.fit(pixels(256))
    model = model.to(on)
    if not library and on == "cpu":
        use_forms(model, what, size, precision, in_turn=in_turn)
    loss, optimizer, schedule = (
        call.resolve(call.parse(getattr(what, field)), recipe.PACKAGES[field])
        for field in ("loss", "optimizer", "schedule")
    )
    return Learner(
        model, optimizer(model), loss, schedule, lambda progress, given: size,  # noqa: ARG005
        precision=precision, micro_batch=what.micro_batch, in_turn=in_turn, compiled=compiled,
    )  # fmt: skip


def captured(what: Recipe, size: int, precision: str) -> Work:
    """Return a recipe's step as a CUDA graph, on images that are `size` px already.

    A graph holds its numbers, so the learning rate is the one of its capture: this tells what
    a captured step takes, and trains nothing.
    """
    ours = learner(what, size, precision, on="cuda")
    images, targets = a_batch(what.batch_size, "cuda")
    images = functional.interpolate(images.float(), (size, size)).to(torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # three steps first, as torch.cuda.CUDAGraph's page has it
        for _ in range(3):
            ours.gradients(images, targets)
            ours.update()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        sums = ours.gradients(images, targets)
        ours.update()

    def step() -> float:
        graph.replay()
        float(sums[0])
        return what.batch_size

    return step


def use_forms(
    model: nn.Module, what: Recipe, size: int, precision: str, *, in_turn: bool = False
) -> None:
    """Let the convolutions take the forms that a training's probe finds, or has found before."""
    shared = share(model, what.batch_size, what.micro_batch, in_turn=in_turn or None)
    plan = forms.choose(model, [size], shared, precision, cache=Source().cache)
    forms.use(model, [size], plan)


def macs(what: Recipe, size: int) -> int:
    """Return the multiply-accumulates of a recipe's network for one image of that size."""
    outline = models.outline(call.parse(what.model), classes=CLASSES, size=PIXELS)
    return models.summary(outline, size).macs


def pixels(count: int) -> torch.Tensor:
    shape = (count, PIXELS, PIXELS, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8).permute(0, 3, 1, 2)
