"""A network that has learned elsewhere, under a new head.

    layer        output
    resize       input_size x input_size     bicubic
    network      channels                    without its own head; it scales the pixels itself
    standard     channels                    mean 0, deviation 1 on the training images
    dropout      channels
    classifier   classes

The network stays in inference mode, frozen or not: BatchNorm uses the statistics that came with
the weights.
"""

from collections.abc import Iterator
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.models import Dropout
from hundredfold.strategies import QUARTERS, Strategy

_ROWS = 512  # features that are summed in float32 before they go into float64


class Standard(nn.Module):
    """Bring features (b, channels) to mean 0 and deviation 1 by buffers that are set once."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def set(self, features: Tensor) -> None:
        """Take mean and deviation of features (n, channels); a constant one is only shifted."""
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
    """A network without its head, and a new head, trained as a strategy says.

    backbone: uint8 (b, 3, h, w) -> features (b, channels). input_size: pixels it sees.
    """

    def __init__(
        self, backbone: nn.Module, channels: int, classes: int, input_size: int, strategy: Strategy
    ) -> None:
        super().__init__()
        self.input_size, self.strategy = input_size, strategy
        self.backbone = backbone
        self.standard = Standard(channels)
        self.dropout = Dropout(strategy.dropout)
        self.classifier = nn.Linear(channels, classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
        for parameter, quarter in self._quarters():
            if not strategy.rate_of(quarter):
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
        return self.classifier(self.dropout(self.standard(features)))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w), or features (b, channels) -> logits (b, classes)."""
        return self.head(images if images.ndim == 2 else self.features(images))

    def rates(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield each trained parameter with its learning rate as a share of the head's."""
        for parameter in self.classifier.parameters():
            yield parameter, 1.0
        for parameter, quarter in self._quarters():
            if parameter.requires_grad:
                yield parameter, self.strategy.rate_of(quarter)

    def _quarters(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each parameter of the backbone with its quarter, 0 to 3 from the image on."""
        parameters = list(self.backbone.parameters())
        for index, parameter in enumerate(parameters):
            yield parameter, QUARTERS * index // len(parameters)


def resized(images: Tensor, size: int) -> Tensor:
    """Return images (b, 3, h, w) as floats of size x size, channels-last, bicubic.

    Values may leave 0..255 a little beside sharp edges.
    """
    if images.shape[-2:] == (size, size):
        return images
    shrinks = images.shape[-1] > size
    floats = F.interpolate(images.float(), (size, size), mode="bicubic", antialias=shrinks)
    return floats.contiguous(memory_format=torch.channels_last)
