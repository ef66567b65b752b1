"""Build the network of a recipe: its model, with a new head for a pretrained backbone."""

from math import sqrt

import torch
from torch import nn

from hundredfold import models
from hundredfold.backbones import BACKBONES, Backbone, Layout, name_of
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError
from hundredfold.models import Scale
from hundredfold.models._fold import fold
from hundredfold.recipe import Recipe
from hundredfold.size import Size, SizeLike
from hundredfold.spec import Part
from hundredfold.strategies import Strategy
from hundredfold.weights.locate import WeightsFile, run_size

_SMALL = 128  # pixels to which smaller images are enlarged; measured in docs/decisions/0012


def strategy_of(recipe: Recipe) -> Strategy:
    """Return the settings of a recipe's strategy. Raises UsageError for values out of range."""
    strategy: Strategy = recipe.strategy.resolve()()
    return strategy


def build(
    recipe: Recipe,
    *,
    classes: int,
    size: SizeLike,
    layout: Layout = "torchvision",
    input_size: SizeLike = 0,
) -> nn.Module:
    """Build a recipe's network in training mode; the seed determines its random weights.

    classes: at least 2. size: of the images. layout: of the file of weights; it decides
    scaling and padding of a pretrained network. input_size: to which a pretrained network
    resizes images; 0 is `size`. Raises UsageError for values out of range.
    """
    strategy = strategy_of(recipe)
    if not strategy.pretrained:
        return models.build(recipe.model, classes=classes, size=size, seed=recipe.seed)
    if classes < 2:
        raise UsageError(f"a classifier needs at least 2 classes, not {classes}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        network = _transfer(recipe.model, strategy, classes, Size.of(input_size or size), layout)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def input_size_for(recipe: Recipe, size: Size, weights: WeightsFile) -> Size:
    """Return the size to which a pretrained network resizes images of a size.

    A run's network computes on the size that it was trained on, where its weights say so.
    Published ones were trained on larger images; small ones keep their aspect.
    """
    if chosen := strategy_of(recipe).input_size:
        return Size.of(chosen)
    if weights.own:
        return run_size(weights.path) or size
    return size.scaled(max(1.0, _SMALL / sqrt(size.area)))


def groups_of(model: Part) -> int:
    """Return the number of groups of a backbone after which it can be divided; else 0."""
    entry = BACKBONES.get(name_of(model) or "")
    return entry.groups if entry else 0


def for_inference(network: nn.Module) -> nn.Module:
    """Return a network in inference mode, with BatchNorm folded where it is a `Transfer`."""
    if isinstance(network, Transfer):
        network.backbone = fold(network.backbone)
    return network.eval()


def _transfer(
    model: Part, strategy: Strategy, classes: int, size: Size, layout: Layout
) -> Transfer:
    backbone = models.make(model, 2, size)
    channels = _remove_head(backbone)
    entry = BACKBONES.get(name_of(model) or "")
    if strategy.cut:
        channels = _cut(backbone, model, strategy.cut, entry)
    if strategy.from_groups:
        _take_groups(backbone, model, strategy.from_groups, entry)
    if strategy.with_maxima:
        _take_maxima(backbone, model)
    if strategy.from_groups or strategy.with_maxima:
        channels = _count_features(backbone)
    if entry:
        _set_layout(backbone, entry, layout)
    frozen = _frozen_groups(model, strategy, entry) if strategy.groups else 0
    return Transfer(backbone.eval(), channels, classes, size, strategy, frozen)


def _remove_head(network: nn.Module) -> int:
    """Remove a network's last dense layer; return the number of its inputs."""
    remove = getattr(network, "remove_head", None)
    if callable(remove):
        return int(remove())
    dense = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    if not dense:
        raise UsageError(
            "the network has no dense layer at its end, where a new head would go",
            remedy="an nn.Linear, or a method remove_head() that returns the channels before it",
        )
    name, last = dense[-1]
    network.set_submodule(name, nn.Identity())
    return last.in_features


def _cut(network: nn.Module, model: Part, groups: int, backbone: Backbone | None) -> int:
    if backbone is None or not 0 < groups <= backbone.groups:
        last = f"1 to {backbone.groups}" if backbone else "whole networks only"
        raise UsageError(f"{model} cannot be cut after group {groups}", found=last)
    return int(network.cut(groups))  # type: ignore[operator]


def _take_groups(
    network: nn.Module, model: Part, groups: tuple[int, ...], backbone: Backbone | None
) -> None:
    """Let a network without head return the means of several groups."""
    if backbone is None or groups[-1] < backbone.groups:
        _cut(network, model, groups[-1], backbone)
    elif groups[-1] > backbone.groups:
        raise UsageError(
            f"{model} has no group {groups[-1]}", found=f"it has groups 1 to {backbone.groups}"
        )
    network.from_groups = groups  # type: ignore[assignment]


def _take_maxima(network: nn.Module, model: Part) -> None:
    if not hasattr(network, "with_maxima"):
        raise UsageError(f"{model} has no groups of layers, whose maxima could be taken")
    network.with_maxima = True  # type: ignore[assignment]


def _count_features(network: nn.Module) -> int:
    with torch.no_grad():
        return int(network.eval()(torch.zeros((1, 3, _SMALL, _SMALL), dtype=torch.uint8)).shape[1])


def _frozen_groups(model: Part, strategy: Strategy, backbone: Backbone | None) -> int:
    """Return how many groups stay frozen. Raises UsageError where none would."""
    if backbone is None:
        raise UsageError(f"{model} has no groups to train", remedy="fine_tune(freeze=2)")
    total = strategy.cut or backbone.groups
    if strategy.groups >= total:
        raise UsageError(
            f"{model} has {total} groups, so {strategy.groups} of them leave none frozen",
            remedy=f"fine_tune(groups={total - 1}), or fine_tune() to train all",
        )
    return total - strategy.groups


def _set_layout(network: nn.Module, backbone: Backbone, layout: Layout) -> None:
    """Set scaling, strides and padding as a layout of weights expects."""
    scale, scaling = network.scale, backbone.scaling(layout)
    assert isinstance(scale, Scale)
    scale.mean.copy_(torch.tensor(scaling.mean).view(3, 1, 1))
    scale.std.copy_(torch.tensor(scaling.std).view(3, 1, 1))
    if layout == "keras":
        for module in network.modules():
            if hasattr(module, "stride_first"):
                module.stride_first()  # type: ignore[operator]
            if hasattr(module, "same_padding"):
                module.same_padding = True  # type: ignore[assignment]
