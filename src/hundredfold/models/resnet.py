"""Residual networks (He, Zhang, Ren & Sun 2016, arXiv:1512.03385).

For CIFAR (section 4.2; depths 20, 32, 44, 56, 110), n = (depth-2)/6:

    group    output     blocks    channels
    stem     32 x 32    --        16
    layer1   32 x 32    n         16
    layer2   16 x 16    n         32
    layer3    8 x 8     n         64
    fc        1 x 1     --        classes

For ImageNet (table 1; depths 18, 34, 50, 101, 152); output at 224 px with the ImageNet
stem (7x7 stride 2, max pool), and at 32 px with the CIFAR stem (3x3):

    group    output            18   34   50   101   152   channels
    stem     56 x 56, 32 x 32  --   --   --   --    --    64
    layer1   56 x 56, 32 x 32  2    3    3    3     3     64
    layer2   28 x 28, 16 x 16  2    4    4    4     8     128
    layer3   14 x 14,  8 x 8   2    6    6    23    36    256
    layer4    7 x 7,   4 x 4   2    3    3    3     3     512
    fc        1 x 1,   1 x 1   --   --   --   --    --    classes

A block is two 3x3 convolutions; from depth 50 on it is 1x1, 3x3, 1x1 with four times the
channels at its end. Names of weights are torchvision's.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from torch import Tensor, nn

from hundredfold.compute.norms import rectified
from hundredfold.errors import UsageError
from hundredfold.models._grouped import Grouped, Layer
from hundredfold.models._layers import (
    Scale,
    conv,
    initialise,
    pad_shortcut,
    stem_for,
)
from hundredfold.size import Size
from hundredfold.spec import OneOf

_CIFAR = (20, 32, 44, 56, 110)
_IMAGENET = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class Block(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 as a bottleneck, around a shortcut.

    project: a 1x1 convolution where the shape changes (shortcut B); else zeros (A).
    """

    def __init__(
        self, inputs: int, channels: int, stride: int, *, bottleneck: bool, project: bool
    ) -> None:
        super().__init__()
        self.outputs = channels * (4 if bottleneck else 1)
        self.stride = stride
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        self.conv1 = conv(inputs, channels, kernels[0], 1 if bottleneck else stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, stride if bottleneck else 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv(channels, self.outputs, 1) if bottleneck else None
        self.bn3 = nn.BatchNorm2d(self.outputs) if bottleneck else None
        self.changes = stride > 1 or inputs != self.outputs
        self.downsample = None
        if self.changes and project:
            norm = nn.BatchNorm2d(self.outputs)
            self.downsample = nn.Sequential(conv(inputs, self.outputs, 1, stride), norm)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        y = self.conv2(rectified(self.bn1, self.conv1(x)))
        if self.conv3 is None or self.bn3 is None:
            return rectified(self.bn2, y, self.shortcut(x))
        return rectified(self.bn3, self.conv3(rectified(self.bn2, y)), self.shortcut(x))

    def stride_first(self) -> None:
        """Move a bottleneck's stride from its 3x3 to the 1x1 before it.

        The paper and Keras have it there; torchvision's variant is known as ResNet v1.5.
        """
        if self.conv3 is not None:
            self.conv1.stride, self.conv2.stride = (self.stride,) * 2, (1, 1)

    def shortcut(self, x: Tensor) -> Tensor:
        """Return the block's input (b, inputs, h, w) in the shape of its output."""
        if self.downsample is not None:
            return self.downsample(x)  # type: ignore[no-any-return]
        return pad_shortcut(x, self.outputs, self.stride) if self.changes else x


class ResNet(Grouped):
    """A stem, groups of blocks, a pooled head."""

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
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else nn.Identity()
        self.groups: list[str] = []
        inputs = channels
        for number, count in enumerate(blocks, start=1):
            group = nn.Sequential()
            for index in range(count):
                stride = 2 if number > 1 and index == 0 else 1
                block = Block(inputs, channels, stride, bottleneck=bottleneck, project=project)
                group.append(block)
                inputs = block.outputs
            self.groups.append(f"layer{number}")
            self.add_module(self.groups[-1], group)
            channels *= 2
        self.fc = nn.Linear(inputs, classes)

    def layers(self) -> Sequence[Layer]:
        """Return the layers between scaling and pooling."""
        groups = [getattr(self, name) for name in self.groups]
        return [self.conv1, partial(rectified, self.bn1), self.maxpool, *groups]

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes)."""
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a group."""
        return 3 + group

    def parameters_up_to(self, group: int) -> set[nn.Parameter]:
        """Return the parameters that `lower` uses."""
        return super().parameters_up_to(group) | set(self.bn1.parameters())

    def cut(self, groups: int) -> int:
        """Keep the stem and the first groups, 1 to 4 (CIFAR: 1 to 3); return their channels."""
        for name in self.groups[groups:]:
            delattr(self, name)
        self.groups = self.groups[:groups]
        return int(getattr(self, self.groups[-1])[-1].outputs)


def resnet(
    classes: int,
    size: Size,
    *,
    depth: Annotated[int, OneOf(18, 20, 32, 34, 44, 50, 56, 101, 110, 152)] = 18,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build a residual network (He et al. 2016).

    depth: 20, 32, 44, 56, 110 (the paper's for CIFAR: 16 to 64 channels) or
        18, 34, 50, 101, 152 (for ImageNet: 64 to 512 channels).
    stem: "imagenet" is 7x7 with stride 2 and a max pool, "cifar" one 3x3 convolution;
        "auto" is "imagenet" from 96 pixels on. The depths for CIFAR have the CIFAR stem only.
    """
    if depth in _CIFAR:
        if stem == "imagenet":
            raise UsageError(
                f"resnet(depth={depth}) has the CIFAR stem only",
                remedy='resnet(depth=18, stem="imagenet")',
            )
        model = ResNet(
            classes, 16, ((depth - 2) // 6,) * 3, stem="cifar", bottleneck=False, project=False
        )
    else:
        model = ResNet(
            classes,
            64,
            _IMAGENET[depth],
            stem=stem_for(stem, size),
            bottleneck=depth >= 50,
            project=True,
        )
    return initialise(model)
