"""EfficientNet-Lite0: EfficientNet-B0 for phones (Liu 2020, tensorflow/tpu, `efficientnet/lite`).

It has no squeeze-excitation, ReLU6 instead of SiLU, and TensorFlow's "same" padding. Output at
224 px with the ImageNet stem, and at 32 px with the CIFAR stem, which leaves out the first and
the second halving:

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

A block is 1x1 to `expansion` times the channels, a depthwise convolution, and 1x1 back without an
activation. It has a shortcut where the shape stays the same. The epsilon of BatchNorm is 1e-3.
"""

from typing import Literal

from torch import Tensor, nn

from hundredfold.models._layers import Scale, drop, initialise, stem_for
from hundredfold.models.mobilenet_v2 import Convolution

GROUPS = (  # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)  # fmt: skip
_EPSILON = 1e-3


class Block(nn.Module):
    """An inverted residual: expand, filter each channel, project, add the input."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.block = nn.Sequential(
            *([_conv_norm(inputs, hidden, 1)] if expansion > 1 else []),
            _conv_norm(hidden, hidden, kernel, stride, groups=hidden),
            _conv_norm(hidden, outputs, 1)[:2],
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        return x + self.block(x) if self.shortcut else self.block(x)  # type: ignore[no-any-return]


class EfficientNetLite(nn.Module):
    """A stem, groups of blocks, a 1x1 convolution, a pooled head."""

    def __init__(self, classes: int, dropout: float, stem: Literal["cifar", "imagenet"]) -> None:
        super().__init__()
        self.scale = Scale()
        groups = [_conv_norm(3, 32, 3, 2 if stem == "imagenet" else 1)]
        inputs = 32
        for number, (expansion, kernel, stride, outputs, count) in enumerate(GROUPS, start=1):
            first = 1 if stem == "cifar" and number == 2 else stride
            strides = [first] + [1] * (count - 1)
            widths = [inputs] + [outputs] * (count - 1)
            blocks = [Block(width, outputs, expansion, kernel, step)
                      for width, step in zip(widths, strides, strict=True)]  # fmt: skip
            groups.append(nn.Sequential(*blocks))
            inputs = outputs
        self.features = nn.Sequential(*groups, _conv_norm(inputs, 4 * inputs, 1))
        self.classifier = nn.Sequential(drop(dropout), nn.Linear(4 * inputs, classes))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        x = self.features(self.scale(images))
        return self.classifier(x.mean((2, 3)))  # type: ignore[no-any-return]

    def cut(self, groups: int) -> int:
        """Keep the stem and the first groups, 1 to 7; return their channels."""
        self.features = nn.Sequential(*list(self.features)[: groups + 1])
        return GROUPS[groups - 1][3]


def _conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    convolution = Convolution(inputs, outputs, kernel, stride, groups)
    convolution.same_padding = True
    norm = nn.BatchNorm2d(outputs, eps=_EPSILON)
    return nn.Sequential(convolution, norm, nn.ReLU6(inplace=True))


def efficientnet_lite(
    classes: int,
    size: int,
    *,
    dropout: float = 0.2,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build an EfficientNet-Lite0 (Liu 2020).

    dropout: probability on the 1280 features, in [0, 1).
    stem: "imagenet" halves the images five times, "cifar" three times; "auto" is "imagenet"
        from 96 pixels on.
    """
    return initialise(EfficientNetLite(classes, dropout, stem_for(stem, size)))
