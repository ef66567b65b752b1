"""Networks of groups of layers, which can be divided after any group."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]


class Pooled:
    """Features from the maps of several groups: their means, and the maxima where asked for."""

    def __init__(self, with_maxima: bool) -> None:
        self.with_maxima = with_maxima
        self.parts: list[Tensor] = []

    def add(self, x: Tensor) -> None:
        """Add the features of maps (b, channels, h, w)."""
        self.parts.append(x.mean((2, 3)))
        if self.with_maxima:
            self.parts.append(x.amax((2, 3)))

    def with_last(self, x: Tensor, finish: Layer) -> Tensor:
        """Return all features (b, channels) with those of the last maps.

        finish: the last maps -> the network's own features.
        """
        maxima = [x.amax((2, 3))] if self.with_maxima else []
        parts = [*self.parts, finish(x), *maxima]
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


class Grouped(nn.Module):
    """A network whose maps are computed by layers in groups, and then pooled for its head.

    `lower` and `upper` with the same group compute what `forward` computes. So the groups that are
    frozen can be computed once, and the others trained on the result.

    from_groups: groups, in their order, whose means are the features together; the last one stands
    for the layers up to the end. () takes the features of the last layer alone. with_maxima:
    append the maximum of each map whose mean is a feature.
    """

    from_groups: tuple[int, ...] = ()
    with_maxima = False
    scale: nn.Module
    features: nn.Sequential

    def layers(self) -> Sequence[Layer]:
        """Return the layers between scaling and pooling, in their order."""
        return list(self.features)

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a group, counted from 1."""
        raise NotImplementedError

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes), or features."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        x, layers, begin = self.scale(images), self.layers(), 0
        pooled = Pooled(self.with_maxima)
        for group in self.from_groups[:-1]:
            x = _through(layers[begin : self.end(group)], x)
            pooled.add(x)
            begin = self.end(group)
        x = _through(layers[begin:], x)
        return pooled.with_last(x, self.finish)

    def lower(self, images: Tensor, group: int) -> Tensor:
        """uint8 (b, 3, h, w) -> maps (b, channels, h, w) after a group."""
        return _through(self.layers()[: self.end(group)], self.scale(images))

    def upper(self, x: Tensor, group: int) -> Tensor:
        """Maps after a group, from `lower` -> logits (b, classes), or features."""
        x = _through(self.layers()[self.end(group) :], x)
        return Pooled(self.with_maxima).with_last(x, self.finish)

    def parameters_up_to(self, group: int) -> set[nn.Parameter]:
        """Return the parameters that `lower` uses."""
        layers = self.layers()[: self.end(group)]
        modules = [layer for layer in layers if isinstance(layer, nn.Module)]
        return {parameter for module in modules for parameter in module.parameters()}


def _through(layers: Sequence[Layer], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x
