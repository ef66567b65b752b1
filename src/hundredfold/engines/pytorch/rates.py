"""Measure the rates of this machine in a second, on images made here."""

import time
from collections.abc import Callable, Sequence

import torch

from hundredfold import models
from hundredfold.compute import device
from hundredfold.engines.pytorch import network, on_features
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.size import Size
from hundredfold.training.options import Options
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import WeightsFile

_BATCH = 64  # images of a training step
_SIZE = 32  # pixels


def feature_rates(
    recipe: Recipe, weights: WeightsFile | None, options: Options, sizes: Sequence[int]
) -> dict[int, float]:
    """Return size in pixels -> images per second of a backbone's features.

    recipe: with a pretrained backbone and its precision.
    """
    assert weights is not None
    chosen = device.choose(options.device)
    device.use_threads(options.threads)
    model = network.build(recipe, classes=2, size=sizes[0], layout=weights.layout)
    assert isinstance(model, Transfer)
    load_weights(model.backbone, recipe.model, weights)
    folded = on_features.folded(model.to(chosen))
    rates = {}
    for size in sizes:
        folded.input_size = Size.of(size)
        images = _images(on_features.BATCH, size)

        def features(images: torch.Tensor = images) -> None:
            on_features.extract(folded, chosen, recipe.precision, images)

        rates[size] = len(images) / _seconds(features, chosen)
    return rates


def training_speed(recipe: Recipe, options: Options) -> float:
    """Return multiply-accumulates of forward passes per second of a network's training.

    recipe: any from scratch, with its precision; loss and optimizer are its own.
    """
    chosen = device.choose(options.device)
    device.use_threads(options.threads)
    model = models.build(recipe.model, classes=10, size=_SIZE, seed=0)
    macs = models.summary(model, _SIZE).macs
    model = model.to(chosen)
    optimizer, loss = recipe.optimizer.resolve()(model), recipe.loss.resolve()
    learner = Learner(
        model, optimizer, loss, lambda _: 1.0, lambda _, size: size, precision=recipe.precision
    )
    images = _images(_BATCH, _SIZE).to(chosen)
    targets = torch.eye(10, device=chosen)[torch.arange(_BATCH) % 10]
    seconds = _seconds(lambda: learner.gradients(images, targets), chosen)
    return macs * _BATCH / seconds


def _images(count: int, size: int) -> torch.Tensor:
    """Return images of noise, uint8 (count, 3, size, size), channels-last."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)
    return pixels.permute(0, 3, 1, 2)


def _seconds(step: Callable[[], object], chosen: torch.device) -> float:
    """Return the shorter of two calls' seconds, after one to warm up."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        step()
        device.finish(chosen)
        times.append(time.perf_counter() - began)
    return min(times[1:])
