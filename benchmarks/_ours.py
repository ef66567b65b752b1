"""Our side: the step of `hundredfold train`, and all else that a benchmark takes from Hundredfold.

The other benchmarks import Hundredfold's parts from here, so that a part that moves is found
anew in one place.
"""

from typing import Any

import torch
from _common import Side, Work
from torch import nn
from torch.nn import functional

from hundredfold import data, duplicates, machine, models, recipes, run, wording
from hundredfold.augment import pipeline
from hundredfold.comparison import t_interval
from hundredfold.compute import autotune, waiting
from hundredfold.compute.contention import ThreadLimit
from hundredfold.compute.device import keep_freed_memory
from hundredfold.compute.precision import autocast
from hundredfold.compute.replicas import split_work
from hundredfold.data import Source, Split
from hundredfold.engines.pytorch import suspects
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.engines.pytorch.network import build
from hundredfold.engines.pytorch.on_features import extract, folded
from hundredfold.engines.pytorch.transfer import Transfer, resized
from hundredfold.executors import Job, Ray
from hundredfold.onnx_model import session_of
from hundredfold.planner import parse_duration
from hundredfold.recipe import Recipe
from hundredfold.size import Size
from hundredfold.spec import Part

__all__ = [
    "CLASSES", "CLI", "FIRST_STEP", "NO_PROBE", "PIXELS", "Feed", "Job", "Part", "Ray", "Recipe",
    "Source", "Split", "Transfer", "a_batch", "autocast", "build",
    "captured", "data", "duplicates", "extract", "folded", "keep_freed_memory", "learner",
    "machine", "macs", "models", "onnx_file",
    "parse_duration", "pipeline", "pixels", "recipes", "resized", "run", "session_of", "side",
    "suspects",
    "t_interval",
    "use_algorithms", "wording", "work",
]  # fmt: skip

CLASSES, PIXELS = 100, 32

CLI = "import sys\n{before}\nfrom hundredfold import cli\nsys.exit(cli.main(sys.argv[1:]))"
NO_PROBE = "from hundredfold.compute import autotune; autotune.pays = lambda macs, images: False"
FIRST_STEP = """
import os, sys
from hundredfold import cli
from hundredfold.engines.pytorch.learner import Learner
step = Learner.step
Learner.step = lambda *given: (step(*given), os._exit(0))
sys.exit(cli.main(sys.argv[1:]))
"""


def side(given: tuple[Any, ...], threads: int) -> Side:
    """Return a process that waits as the command line does and makes `work(*given)`."""
    return Side(work, given, threads, machine.WAITING)


def work(
    recipe: Recipe,
    size: int,
    precision: str,
    library: bool = False,
    default_memory: bool = False,
    sequential: bool = False,
    on: str = "cpu",
    compiled: bool = False,
) -> Work:
    """Return a recipe's step on uint8 images of 32 px that it brings to `size` itself.

    library: leave every convolution as the library's. default_memory: and the C library's
    ways with freed memory as they are. sequential: micro-batches one after another, each by all
    threads. on: the device. compiled: torch.compile makes the step.
    """
    if not default_memory:
        keep_freed_memory()
    waiting.briefly()
    ours = learner(recipe, size, precision, library, sequential, on=on, compiled=compiled)
    batch = recipe.batch_size
    images, targets = a_batch(batch, on)
    shares = on == "cpu" and ours.shared_threads(batch) > 1
    limit = ThreadLimit(lambda _: None, "", adapts=False) if shares else None

    def step() -> float:
        float(ours.step(images, targets, 0.5, 1)[0])
        if limit:
            limit.look()
        return batch

    return step


def a_batch(batch: int, on: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Return random images (batch, 3, 32, 32), uint8, and targets (batch, classes)."""
    labels = torch.randint(0, CLASSES, (batch,))
    return pixels(batch).to(on), functional.one_hot(labels, CLASSES).float().to(on)


def learner(
    recipe: Recipe,
    size: int,
    precision: str,
    library: bool = False,
    sequential: bool = False,
    *,
    on: str = "cpu",
    compiled: bool = False,
) -> Learner:
    """Return what trains a recipe's network on random images; see `work`."""
    model = models.build(recipe.model, classes=CLASSES, size=PIXELS, seed=0)
    if hasattr(model, "fit"):
        model.fit(pixels(256))
    model = model.to(on)
    if on == "cpu" and not (library or compiled):
        use_algorithms(model, recipe, size, precision, sequential=sequential)
    return Learner(
        model, recipe.optimizer.resolve()(model), recipe.loss.resolve(), recipe.schedule.resolve(),
        lambda progress, own: size,  # noqa: ARG005
        precision=precision, micro_batch=recipe.micro_batch, sequential=sequential,
        compiled=compiled,
    )  # fmt: skip


def captured(recipe: Recipe, size: int, precision: str) -> Work:
    """Return a recipe's step as a CUDA graph, on images that are `size` px already.

    A graph holds its numbers, so the learning rate is the one of its capture: this tells what
    a captured step takes, and trains nothing.
    """
    ours = learner(recipe, size, precision, on="cuda")
    images, targets = a_batch(recipe.batch_size, "cuda")
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
        return recipe.batch_size

    return step


def use_algorithms(
    model: nn.Module, recipe: Recipe, size: int, precision: str, *, sequential: bool = False
) -> None:
    """Let the convolutions use the algorithms that a training's timing trials choose, or chose."""
    split = split_work(model, recipe.batch_size, recipe.micro_batch, sequential=sequential or None)
    plan = autotune.choose(model, [size], split, precision, cache=Source().cache)
    autotune.use(model, [size], plan)


def macs(recipe: Recipe, size: int) -> int:
    """Return the multiply-accumulates of a recipe's network for one image of that size."""
    outline = models.outline(recipe.model, classes=CLASSES, size=PIXELS)
    return models.summary(outline, size).macs


def pixels(count: int) -> torch.Tensor:
    shape = (count, PIXELS, PIXELS, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8).permute(0, 3, 1, 2)


def onnx_file(model: str, classes: int, size: int) -> bytes:
    """Return a network with random weights as `hundredfold export` writes it."""
    from hundredfold.exporters._graph import core_graph, joined  # here: it needs an extra
    from hundredfold.exporters._network import Core, Head

    network = models.build(model, classes=classes, size=size, seed=0).eval()
    square = Size.of(size)
    core = core_graph(Core(network), square)
    return joined(core, size=square, resize="crop", head=Head(1.0, classes), metadata={})
