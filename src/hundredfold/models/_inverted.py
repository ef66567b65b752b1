"""Inverted residuals of the EfficientNets, and a convolution that pads as TensorFlow does."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.conv_library import Pads
from hundredfold.compute.convolution import Conv2d
from hundredfold.compute.dropout import Dropout
from hundredfold.models._grouped import Grouped
from hundredfold.models._layers import Scale

GROUPS = (  # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)  # fmt: skip


class Convolution(Conv2d):
    """A convolution without bias; its output has the input's size over the stride.

    same_padding: pad as TensorFlow does (padding="same"), for weights of Keras. With stride 2
    and an even side, the first window then begins at pixel 0 instead of -1.
    """

    same_padding = False

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )

    def pads(self, height: int, width: int) -> Pads:
        """Return the zeros to add on the left, right, top and bottom of a map of this size."""
        if not (self.same_padding and self.stride[0] > 1):
            return super().pads(height, width)
        reach = self.kernel_size[0] // 2
        return reach - 1 + width % 2, reach, reach - 1 + height % 2, reach


class Excitation(nn.Module):
    """Squeeze-excitation: scale each channel by a function of all channels' means.

    Hu et al. 2018, arXiv:1709.01507.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w) -> the same."""
        weights = F.silu(self.fc1(x.mean((2, 3), keepdim=True)), inplace=True)
        return x * self.fc2(weights).sigmoid()  # type: ignore[no-any-return]


class Style(NamedTuple):
    """What differs between the families.

    activation: makes one. eps: of BatchNorm. same_padding: of convolutions, see `Convolution`.
    excited: whether blocks have squeeze-excitation.
    """

    activation: Callable[[], nn.Module]
    eps: float
    same_padding: bool
    excited: bool

    def conv_norm(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        *,
        active: bool = True,
    ) -> nn.Sequential:
        """Return a convolution, BatchNorm and, where `active`, an activation."""
        convolution = Convolution(inputs, outputs, kernel, stride, groups)
        convolution.same_padding = self.same_padding
        activation = [self.activation()] if active else []
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=self.eps), *activation)


class Block(nn.Module):
    """An inverted residual, with squeeze-excitation or without."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, style: Style
    ) -> None:
        super().__init__()
        hidden, conv_norm = inputs * expansion, style.conv_norm
        self.shortcut = stride == 1 and inputs == outputs
        self.block = nn.Sequential(
            *([conv_norm(inputs, hidden, 1)] if expansion > 1 else []),
            conv_norm(hidden, hidden, kernel, stride, groups=hidden),
            *([Excitation(hidden, inputs // 4)] if style.excited else []),
            conv_norm(hidden, outputs, 1, active=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        return x + self.block(x) if self.shortcut else self.block(x)  # type: ignore[no-any-return]


class EfficientNet(Grouped):
    """A stem, groups of blocks, a 1x1 convolution, a pooled head."""

    def __init__(
        self,
        classes: int,
        dropout: float,
        stem: Literal["cifar", "imagenet"],
        style: Style,
    ) -> None:
        super().__init__()
        self.scale = Scale()
        groups = [style.conv_norm(3, 32, 3, 2 if stem == "imagenet" else 1)]
        inputs = 32
        for number, (expansion, kernel, stride, outputs, count) in enumerate(GROUPS, start=1):
            first = 1 if stem == "cifar" and number == 2 else stride
            group = nn.Sequential()
            for index in range(count):
                step = 1 if index else first
                group.append(Block(inputs, outputs, expansion, kernel, step, style))
                inputs = outputs
            groups.append(group)
        self.features = nn.Sequential(*groups, style.conv_norm(inputs, 4 * inputs, 1))
        self.classifier = nn.Sequential(Dropout(dropout), nn.Linear(4 * inputs, classes))

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes)."""
        return self.classifier(x.mean((2, 3)))  # type: ignore[no-any-return]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a group."""
        return group + 1

    def cut(self, groups: int) -> int:
        """Keep the stem and the first groups, 1 to 7; return their channels."""
        self.features = nn.Sequential(*list(self.features)[: self.end(groups)])
        return GROUPS[groups - 1][3]
