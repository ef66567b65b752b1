"""Residual networks with pre-activation (He, Zhang, Ren & Sun 2016, arXiv:1603.05027).

For CIFAR (table 2); n = (depth-2)/6, or (depth-2)/9 with bottlenecks (164, 1001):

    group    output     blocks   channels   with bottlenecks
    stem     32 x 32    --       16         16
    layer1   32 x 32    n        16         64
    layer2   16 x 16    n        32         128
    layer3    8 x 8     n        64         256
    fc        1 x 1     --       classes    classes

For ImageNet; output at 224 px with the ImageNet stem and at 32 px with the CIFAR stem:

    group    output             18   34   50   101   152   channels   with bottlenecks
    stem     56 x 56, 32 x 32   --   --   --   --    --    64         64
    layer1   56 x 56, 32 x 32   2    3    3    3     3     64         256
    layer2   28 x 28, 16 x 16   2    4    4    4     8     128        512
    layer3   14 x 14,  8 x 8    2    6    6    23    36    256        1024
    layer4    7 x 7,   4 x 4    2    3    3    3     3     512        2048
    fc        1 x 1,   1 x 1    --   --   --   --    --    classes    classes

A block is BN-ReLU-conv, twice (3x3, 3x3), or three times (1x1, 3x3, 1x1) from depth 50 of
the ImageNet ones on. Where the shape changes, the shortcut starts at the first ReLU.
"""

from typing import Annotated, Literal

from torch import Tensor, nn

from hundredfold.compute.norms import rectified
from hundredfold.errors import UsageError
from hundredfold.models._layers import (
    Scale,
    conv,
    initialise,
    pad_shortcut,
    stem_for,
)
from hundredfold.size import Size
from hundredfold.spec import OneOf

_CIFAR = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18, 164: 18, 1001: 111}
_IMAGENET = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_BOTTLENECK = (50, 101, 152, 164, 1001)


class PreactBlock(nn.Module):
    """BN-ReLU-convolution twice (or three times, as a bottleneck) around a shortcut.

    project: a 1x1 convolution where the shape changes; else zero channels.
    """

    def __init__(
        self, inputs: int, channels: int, stride: int, *, bottleneck: bool, project: bool
    ) -> None:
        super().__init__()
        self.outputs = channels * (4 if bottleneck else 1)
        self.stride = stride
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, channels, *((1, 1) if bottleneck else (3, stride)))
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, stride if bottleneck else 1)
        self.bn3 = nn.BatchNorm2d(channels) if bottleneck else None
        self.conv3 = conv(channels, self.outputs, 1) if bottleneck else None
        self.changes = stride > 1 or inputs != self.outputs
        self.downsample = None
        if self.changes and project:
            self.downsample = conv(inputs, self.outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        active = rectified(self.bn1, x)
        y = self.conv1(active)
        y = self.conv2(rectified(self.bn2, y))
        if self.conv3 is not None and self.bn3 is not None:
            y = self.conv3(rectified(self.bn3, y))
        return y.add_(self.shortcut(active) if self.changes else x)  # type: ignore[no-any-return]

    def shortcut(self, active: Tensor) -> Tensor:
        """Return the activated input (b, inputs, h, w) in the shape of the output."""
        if self.downsample is not None:
            return self.downsample(active)  # type: ignore[no-any-return]
        return pad_shortcut(active, self.outputs, self.stride)


class PreactResNet(nn.Module):
    """A stem, groups of blocks, a last BN-ReLU, a pooled head."""

    def __init__(
        self,
        classes: int,
        channels: int,
        blocks: tuple[int, ...],
        *,
        stem: Literal["cifar", "imagenet"],
        bottleneck: bool,
        project: bool,
    ) -> None:
        super().__init__()
        self.scale = Scale()
        large = stem == "imagenet"
        self.conv1 = conv(3, channels, 7, 2) if large else conv(3, channels, 3)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else nn.Identity()
        self.groups = nn.Sequential()
        inputs = channels
        for number, count in enumerate(blocks, start=1):
            group = nn.Sequential()
            for index in range(count):
                stride = 2 if number > 1 and index == 0 else 1
                block = PreactBlock(
                    inputs, channels, stride, bottleneck=bottleneck, project=project
                )
                group.append(block)
                inputs = block.outputs
            self.groups.add_module(f"layer{number}", group)
            channels *= 2
        self.norm = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        x = self.groups(self.maxpool(self.conv1(self.scale(images))))
        x = rectified(self.norm, x)
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


def preact_resnet(
    classes: int,
    size: Size,
    *,
    depth: Annotated[int, OneOf(18, 20, 32, 34, 44, 50, 56, 101, 110, 152, 164, 1001)] = 18,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build a residual network with pre-activation (He et al. 2016).

    depth: 20, 32, 44, 56, 110, 164, 1001 (the paper's for CIFAR: 16 to 64 channels) or
        18, 34, 50, 101, 152 (for ImageNet; 64 to 512 channels).
    stem: "imagenet" is 7x7 with stride 2 and a max pool, "cifar" one 3x3 convolution;
        "auto" is "imagenet" from 96 pixels on. The depths for CIFAR have the CIFAR stem only.
    """
    if depth in _CIFAR and stem == "imagenet":
        raise UsageError(
            f"preact_resnet(depth={depth}) has the CIFAR stem only",
            remedy='preact_resnet(depth=18, stem="imagenet")',
        )
    small, bottleneck = depth in _CIFAR, depth in _BOTTLENECK
    model = PreactResNet(
        classes,
        16 if small else 64,
        (_CIFAR[depth],) * 3 if small else _IMAGENET[depth],
        stem="cifar" if small else stem_for(stem, size),
        bottleneck=bottleneck,
        project=bottleneck or not small,
    )
    return initialise(model)
