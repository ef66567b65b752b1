"""A pretrained network with a new head.

    layer        output
    resize       input_size                  bicubic
    backbone     channels                    without its own head; it scales the pixels itself
    standard     channels                    mean 0, standard deviation 1 on training images
    dropout      channels
    hidden       hidden units, where the strategy has any, with ReLU and dropout
    classifier   classes

The backbone stays in inference mode, frozen or not: BatchNorm uses the statistics of the weights
that were loaded. Where only the last groups of the backbone are trained, the network also takes the
activations of the groups before, which need be computed only once.
"""

from collections.abc import Iterator
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.models import Dropout
from hundredfold.size import Size, SizeLike
from hundredfold.strategies import QUARTERS, Strategy

_ROWS = 512  # rows summed in float32 before they are added in float64


class Standardise(nn.Module):
    """Standardise features (b, channels) by mean and deviation in buffers that `set` sets."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def set(self, features: Tensor) -> None:
        """Set mean and deviation from features (n, channels); constant features get deviation 1."""
        total, squares = torch.zeros(2, len(self.mean), dtype=torch.double, device=features.device)
        first = features[0]
        for rows in torch.split(features, _ROWS):
            shifted = rows - first  # 0 where a feature is constant
            total += shifted.sum(0)
            squares += shifted.square().sum(0)
        mean = total / len(features)
        std = (squares / len(features) - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(first + mean)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """(b, channels) -> the same."""
        return (features - self.mean) / self.std


class Transfer(nn.Module):
    """A backbone with a new head, trained as a strategy says.

    backbone: uint8 (b, 3, h, w) -> features (b, channels). input_size: to which images are
    resized. frozen_groups: groups of the backbone, from the input on, that are not trained.
    """

    def __init__(
        self,
        backbone: nn.Module,
        channels: int,
        classes: int,
        input_size: SizeLike,
        strategy: Strategy,
        frozen_groups: int = 0,
    ) -> None:
        super().__init__()
        self.input_size, self.strategy = Size.of(input_size), strategy
        self.frozen_groups = frozen_groups
        self.backbone = backbone
        self.standard = Standardise(channels)
        self.dropout = Dropout(strategy.dropout)
        self.hidden = _hidden_layer(channels, strategy) if strategy.hidden else nn.Identity()
        self.classifier = nn.Linear(strategy.hidden or channels, classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
        frozen = backbone.parameters_up_to(frozen_groups) if frozen_groups else set()  # type: ignore[operator]
        for parameter, quarter in self._quarters():
            if parameter in frozen or not strategy.rate_of(quarter):
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the head's mode; the backbone stays in inference mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> features (b, channels)."""
        return self.backbone(resized(images, self.input_size))  # type: ignore[no-any-return]

    def head(self, features: Tensor) -> Tensor:
        """(b, channels) -> logits (b, classes)."""
        return self.classifier(self.hidden(self.dropout(self.standard(features))))  # type: ignore[no-any-return]

    def activations(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> maps (b, channels, h, w) after the frozen groups."""
        small = resized(images, self.input_size)
        return self.backbone.lower(small, self.frozen_groups)  # type: ignore[operator,no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w), features (b, channels) or float16 activations -> (b, classes)."""
        if images.ndim == 2:
            return self.head(images)
        if images.dtype == torch.float16:
            bf16 = torch.is_autocast_enabled(images.device.type)
            x = images.to(torch.bfloat16 if bf16 else torch.float32)
            return self.head(self.backbone.upper(x, self.frozen_groups))  # type: ignore[operator]
        return self.head(self.features(images))

    def rates(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield each trained parameter with the factor on its learning rate; the head's is 1."""
        for parameter in (*self.hidden.parameters(), *self.classifier.parameters()):
            yield parameter, 1.0
        for parameter, quarter in self._quarters():
            if parameter.requires_grad:
                yield parameter, self.strategy.rate_of(quarter)

    def _quarters(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each parameter of the backbone with its quarter, 0 to 3 from the input on."""
        parameters = list(self.backbone.parameters())
        for index, parameter in enumerate(parameters):
            yield parameter, QUARTERS * index // len(parameters)


def _hidden_layer(channels: int, strategy: Strategy) -> nn.Sequential:
    dense = nn.Linear(channels, strategy.hidden)
    nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
    nn.init.zeros_(dense.bias)
    return nn.Sequential(dense, nn.ReLU(), Dropout(strategy.dropout))


def resized(images: Tensor, size: SizeLike) -> Tensor:
    """Return images (b, 3, h, w) as floats of another size, channels-last, bicubic.

    Bicubic values can leave 0..255 slightly at sharp edges.
    """
    height, width = Size.of(size)
    if images.shape[-2:] == (height, width):
        return images
    antialias = images.shape[-2] > height or images.shape[-1] > width
    floats = F.interpolate(images.float(), (height, width), mode="bicubic", antialias=antialias)
    return floats.contiguous(memory_format=torch.channels_last)
