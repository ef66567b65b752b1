"""EfficientNet-B0: inverted residuals with squeeze-excitation (Tan & Le 2019, arXiv:1905.11946).

Table 1; output at 224 px with the ImageNet stem, and at 32 px with the CIFAR stem, which
leaves out the first and the second halving:

    group         output               expansion   kernel   channels   blocks
    features.0    112 x 112, 32 x 32   --          3        32         --
    features.1    112 x 112, 32 x 32   1           3        16         1
    features.2     56 x 56,  32 x 32   6           3        24         2
    features.3     28 x 28,  16 x 16   6           5        40         2
    features.4     14 x 14,   8 x 8    6           3        80         3
    features.5     14 x 14,   8 x 8    6           5        112        3
    features.6      7 x 7,    4 x 4    6           5        192        4
    features.7      7 x 7,    4 x 4    6           3        320        1
    features.8      7 x 7,    4 x 4    --          1        1280       --
    classifier      1 x 1              --          --       classes    --

A block is 1x1 to `expansion` times the channels, a depthwise convolution, squeeze-excitation
(through a quarter of the block's inputs), and 1x1 back. It has a shortcut where the shape stays
the same. Activations are SiLU. There is no stochastic
depth. Names of weights are torchvision's.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.models._grouped import Grouped
from hundredfold.models._layers import Scale, drop, initialise, stem_for

GROUPS = (  # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)  # fmt: skip


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
    """What differs between the families: convolution, BatchNorm and activation; excitation."""

    conv_norm: Callable[..., nn.Sequential]
    excited: bool


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
        self.classifier = nn.Sequential(drop(dropout), nn.Linear(4 * inputs, classes))

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


def _conv_norm(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    *,
    active: bool = True,
) -> nn.Sequential:
    convolution = Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    activation = [nn.SiLU(inplace=True)] if active else []
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), *activation)


def efficientnet(
    classes: int,
    size: int,
    *,
    dropout: float = 0.2,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build an EfficientNet-B0 (Tan & Le 2019).

    dropout: probability on the 1280 features, in [0, 1).
    stem: "imagenet" halves the images five times, "cifar" three times; "auto" is "imagenet"
        from 96 pixels on.
    """
    style = Style(_conv_norm, excited=True)
    return initialise(EfficientNet(classes, dropout, stem_for(stem, size), style))
