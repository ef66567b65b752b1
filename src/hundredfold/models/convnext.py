"""ConvNeXt-Tiny, convolutions arranged as in a transformer (Liu et al. 2022, arXiv:2201.03545).

Table 9; output at 224 px with the ImageNet stem (patches of 4 x 4), and at 32 px with the
CIFAR stem (patches of 2 x 2); the channels are those of width 96:

    group         output             blocks   channels
    features.0    56 x 56, 16 x 16   --       96
    features.1    56 x 56, 16 x 16   3        96
    features.3    28 x 28,  8 x 8    3        192
    features.5    14 x 14,  4 x 4    9        384
    features.7     7 x 7,   2 x 2    3        768
    classifier     1 x 1             --       classes

A block is a depthwise 7x7, LayerNorm, dense to 4 times the channels, GELU, dense back. A learned
factor per channel, initially 1e-6, scales the result before the shortcut's sum. Between groups:
LayerNorm and a 2x2 convolution with stride 2. There is no stochastic depth. Names of weights
are torchvision's.
"""

from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.compute.norms import LayerNorm
from hundredfold.models._grouped import Grouped
from hundredfold.models._layers import Scale, need_size, stem_for
from hundredfold.size import Size
from hundredfold.spec import Range

_BLOCKS = (3, 3, 9, 3)


class Norm(LayerNorm):
    """LayerNorm over the channels of maps; in channels-last memory no permute copies."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w) -> the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Dense(nn.Linear):
    """A dense layer at each pixel of the maps."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h, w)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A depthwise convolution and two dense layers, scaled per channel and added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            Conv2d(channels, channels, 7, padding=3, groups=channels),
            nn.Identity(),  # torchvision permutes here; weights are named by index
            Norm(channels),
            Dense(channels, 4 * channels),
            nn.GELU(),
            Dense(4 * channels, channels),
        )
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w) -> the same."""
        return x + self.layer_scale * self.block(x)  # type: ignore[no-any-return]


class ConvNeXt(Grouped):
    """Patches, groups of blocks with downsampling between them, a pooled and normalised head."""

    def __init__(self, classes: int, width: int, patch: int) -> None:
        super().__init__()
        self.scale = Scale()
        self.width = width
        widths = [width * 2**number for number in range(len(_BLOCKS))]
        layers = [nn.Sequential(Conv2d(3, width, patch, patch), Norm(width))]
        groups = [nn.Sequential(*map(Block, [w] * n)) for w, n in zip(widths, _BLOCKS, strict=True)]
        for group, (narrow, wide) in zip(groups, pairwise(widths), strict=False):
            downsample = nn.Sequential(Norm(narrow), Conv2d(narrow, wide, 2, 2))
            layers += [group, downsample]
        self.features = nn.Sequential(*layers, groups[-1])
        self.classifier = nn.Sequential(
            Norm(widths[-1]), nn.Flatten(), nn.Linear(widths[-1], classes)
        )

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes)."""
        return self.classifier(F.adaptive_avg_pool2d(x, 1))  # type: ignore[no-any-return]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a group."""
        return 2 * group

    def cut(self, groups: int) -> int:
        """Keep the patches and the first groups, 1 to 4; return their channels."""
        self.features = nn.Sequential(*list(self.features)[: self.end(groups)])
        self.classifier[0] = nn.Identity()
        return self.width << (groups - 1)


def convnext(
    classes: int,
    size: Size,
    *,
    width: Annotated[int, Range(1, 2048)] = 96,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build a ConvNeXt with ConvNeXt-Tiny's depths (Liu et al. 2022).

    width: channels of the first group; 96 is ConvNeXt-Tiny.
    stem: "imagenet" has patches of 4 x 4 pixels, "cifar" of 2 x 2; "auto" is "imagenet" from
        96 pixels on.
    """
    patch = 4 if stem_for(stem, size) == "imagenet" else 2
    need_size("convnext", size, 8 * patch)
    model = ConvNeXt(classes, width, patch)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return model
