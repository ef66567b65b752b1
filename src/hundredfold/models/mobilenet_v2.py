"""MobileNetV2: inverted residuals (Sandler et al. 2018, arXiv:1801.04381).

Table 2; output at 224 px with the ImageNet stem, and at 32 px with the CIFAR stem, which
leaves out the first and the second halving:

    group       output               expansion   channels   blocks
    conv 3x3    112 x 112, 32 x 32   --          32         --
    1           112 x 112, 32 x 32   1           16         1
    2            56 x 56,  32 x 32   6           24         2
    3            28 x 28,  16 x 16   6           32         3
    4            14 x 14,   8 x 8    6           64         4
    5            14 x 14,   8 x 8    6           96         3
    6             7 x 7,    4 x 4    6           160        3
    7             7 x 7,    4 x 4    6           320        1
    conv 1x1      7 x 7,    4 x 4    --          1280       --
    classifier    1 x 1              --          classes    --

A block is 1x1 to `expansion` times the channels, a depthwise 3x3, and 1x1 back without an
activation. It has a shortcut where the shape stays the same. All other convolutions end in ReLU6.
Names of weights are torchvision's.
"""

from typing import Annotated, Literal

from torch import Tensor, nn

from hundredfold.compute.dropout import Dropout
from hundredfold.models._grouped import Grouped
from hundredfold.models._inverted import Convolution
from hundredfold.models._layers import Scale, initialise, stem_for
from hundredfold.size import Size
from hundredfold.spec import BelowOne, Range

_GROUPS = (  # expansion, channels, blocks, stride
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


class Block(nn.Module):
    """An inverted residual: expand, filter each channel, project, add the input."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *([_conv_norm(inputs, hidden, 1)] if expansion > 1 else []),
            _conv_norm(hidden, hidden, 3, stride, groups=hidden),
            Convolution(hidden, outputs, 1),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        return x + self.conv(x) if self.shortcut else self.conv(x)  # type: ignore[no-any-return]


class MobileNetV2(Grouped):
    """A stem, groups of inverted residuals, a 1x1 convolution, a pooled head."""

    def __init__(
        self, classes: int, width: float, dropout: float, stem: Literal["cifar", "imagenet"]
    ) -> None:
        super().__init__()
        self.scale = Scale()
        channels = _round(32 * width)
        layers: list[nn.Module] = [_conv_norm(3, channels, 3, 2 if stem == "imagenet" else 1)]
        self.ends: list[int] = []
        self.widths: list[int] = [_round(group[1] * width) for group in _GROUPS]
        for number, (expansion, _, count, stride) in enumerate(_GROUPS):
            first = 1 if stem == "cifar" and number == 1 else stride
            for index in range(count):
                step = 1 if index else first
                layers.append(Block(channels, self.widths[number], step, expansion))
                channels = self.widths[number]
            self.ends.append(len(layers))
        last = _round(1280 * max(1.0, width))
        self.features = nn.Sequential(*layers, _conv_norm(channels, last, 1))
        self.classifier = nn.Sequential(Dropout(dropout), nn.Linear(last, classes))

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes)."""
        return self.classifier(x.mean((2, 3)))  # type: ignore[no-any-return]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a group."""
        return self.ends[group - 1]

    def cut(self, groups: int) -> int:
        """Keep the stem and the first groups, 1 to 7; return their channels."""
        self.features = nn.Sequential(*list(self.features)[: self.end(groups)])
        return self.widths[groups - 1]


def _conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    convolution = Convolution(inputs, outputs, kernel, stride, groups)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


def _round(channels: float) -> int:
    """Return the nearest multiple of 8 that is not less than 90 % of the channels."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def mobilenet_v2(
    classes: int,
    size: Size,
    *,
    width: Annotated[float, Range(0, 10, open_low=True)] = 1.0,
    dropout: BelowOne = 0.2,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build a MobileNetV2 (Sandler et al. 2018).

    width: factor on all channels, above 0; each is rounded to a multiple of 8.
    dropout: probability on the last features (1280 at width 1), in [0, 1).
    stem: "imagenet" halves the images five times, "cifar" three times; "auto" is "imagenet"
        from 96 pixels on.
    """
    model = MobileNetV2(classes, width, dropout, stem_for(stem, size))
    return initialise(model, linear_std=0.01)
