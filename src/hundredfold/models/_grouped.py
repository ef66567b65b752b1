"""Networks of groups of layers, which can be divided after any group."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]


class Grouped(nn.Module):
    """A network whose maps are computed by layers in groups, and then pooled for its head.

    `lower` and `upper` with the same group compute what `forward` computes. So the groups that are
    frozen can be computed once, and the others trained on the result.

    from_groups: groups, in their order, whose means are the features together; the last one stands
    for the layers up to the end. () takes the features of the last layer alone.
    """

    from_groups: tuple[int, ...] = ()
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
        means: list[Tensor] = []
        for group in self.from_groups[:-1]:
            x = _through(layers[begin : self.end(group)], x)
            means.append(x.mean((2, 3)))
            begin = self.end(group)
        features = self.finish(_through(layers[begin:], x))
        return torch.cat([*means, features], 1) if means else features

    def lower(self, images: Tensor, group: int) -> Tensor:
        """uint8 (b, 3, h, w) -> maps (b, channels, h, w) after a group."""
        return _through(self.layers()[: self.end(group)], self.scale(images))

    def upper(self, x: Tensor, group: int) -> Tensor:
        """Maps after a group, from `lower` -> logits (b, classes), or features."""
        return self.finish(_through(self.layers()[self.end(group) :], x))

    def parameters_up_to(self, group: int) -> set[nn.Parameter]:
        """Return the parameters that `lower` uses."""
        layers = self.layers()[: self.end(group)]
        modules = [layer for layer in layers if isinstance(layer, nn.Module)]
        return {parameter for module in modules for parameter in module.parameters()}


def _through(layers: Sequence[Layer], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x
