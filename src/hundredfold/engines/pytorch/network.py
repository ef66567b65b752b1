"""The network of a recipe: its model, under a new head where the strategy begins with weights."""

import torch
from torch import nn

from hundredfold import models
from hundredfold.backbones import BACKBONES, Backbone, Layout, name_of
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError
from hundredfold.models import Scale
from hundredfold.models._fold import fold
from hundredfold.recipe import Recipe
from hundredfold.spec import Part
from hundredfold.strategies import Strategy

_SMALL = 128  # pixels that images of fewer are enlarged to; measured in docs/decisions/0012


def strategy_of(recipe: Recipe) -> Strategy:
    """Return what a recipe trains. Raises UsageError for values that are out of range."""
    strategy: Strategy = recipe.strategy.resolve()()
    return strategy


def build(
    recipe: Recipe,
    *,
    classes: int,
    size: int,
    layout: Layout = "torchvision",
    input_size: int = 0,
) -> nn.Module:
    """Build a recipe's network in training mode, its weights a function of the seed.

    classes: at least 2. size: of the images in pixels. For a network that begins with weights,
    layout is that of their file and decides scaling and padding, and input_size is what it sees.
    """
    strategy = strategy_of(recipe)
    if not strategy.pretrained:
        return models.build(recipe.model, classes=classes, size=size, seed=recipe.seed)
    if classes < 2:
        raise UsageError(f"a classifier needs at least 2 classes, not {classes}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        network = _transfer(recipe.model, strategy, classes, input_size or size, layout)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def input_size_for(recipe: Recipe, size: int, *, own: bool) -> int:
    """Return the pixels that a pretrained network sees of images of `size` pixels.

    own: whether its weights are those of a run; others have learned on larger images.
    """
    return strategy_of(recipe).input_size or (size if own else max(size, _SMALL))


def for_inference(network: nn.Module) -> nn.Module:
    """Return a network in inference mode, with less to compute where it is a `Transfer`."""
    if isinstance(network, Transfer):
        network.backbone = fold(network.backbone)
    return network.eval()


def _transfer(model: Part, strategy: Strategy, classes: int, side: int, layout: Layout) -> Transfer:
    backbone = models.make(model, 2, side)
    channels = _remove_head(backbone)
    card = BACKBONES.get(name_of(model) or "")
    if strategy.cut:
        channels = _cut(backbone, model, strategy.cut, card)
    if card:
        _conform(backbone, card, layout)
    return Transfer(backbone.eval(), channels, classes, side, strategy)


def _remove_head(network: nn.Module) -> int:
    """Take a network's last dense layer away; return the channels of the features before it."""
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


def _cut(network: nn.Module, model: Part, groups: int, card: Backbone | None) -> int:
    if card is None or not 0 < groups <= card.groups:
        last = f"1 to {card.groups}" if card else "whole networks only"
        raise UsageError(f"{model} cannot be cut after group {groups}", found=last)
    return int(network.cut(groups))  # type: ignore[operator]


def _conform(network: nn.Module, card: Backbone, layout: Layout) -> None:
    """Set what a layout of weights wants and no weight says: scaling, strides, padding."""
    scale, scaling = network.scale, card.scaling(layout)
    assert isinstance(scale, Scale)
    scale.mean.copy_(torch.tensor(scaling.mean).view(3, 1, 1))
    scale.std.copy_(torch.tensor(scaling.std).view(3, 1, 1))
    if layout == "keras":
        for module in network.modules():
            if hasattr(module, "stride_first"):
                module.stride_first()  # type: ignore[operator]
            if hasattr(module, "same_padding"):
                module.same_padding = True  # type: ignore[assignment]
