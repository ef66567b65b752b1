"""Densely connected networks, DenseNet-BC (Huang et al. 2017, arXiv:1608.06993).

For CIFAR (section 3; depths 6 n + 4, growth 12, 24 or 40):

    group         output     layers         channels at its end
    conv0         32 x 32    --             2 * growth
    denseblock1   32 x 32    (depth-4)/6    + growth for each layer
    transition1   16 x 16    --             half
    denseblock2   16 x 16    (depth-4)/6    + growth for each layer
    transition2    8 x 8     --             half
    denseblock3    8 x 8     (depth-4)/6    + growth for each layer
    classifier     1 x 1     --             classes

For ImageNet (table 1; growth 32, four blocks); output at 224 px with the ImageNet stem
(7x7 stride 2, max pool), and at 32 px with the CIFAR stem:

    group         output             121   169   201
    stem          56 x 56, 32 x 32   --    --    --
    denseblock1   56 x 56, 32 x 32   6     6     6
    denseblock2   28 x 28, 16 x 16   12    12    12
    denseblock3   14 x 14,  8 x 8    24    32    48
    denseblock4    7 x 7,   4 x 4    16    32    32
    classifier     1 x 1,   1 x 1    --    --    --

A layer is BN-ReLU-conv1x1 to 4 * growth, BN-ReLU-conv3x3 to growth channels, concatenated with
its inputs. A transition is BN-ReLU-conv1x1 and a 2x2 mean. Names of weights are
torchvision's.
"""

from collections import OrderedDict
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.dropout import Dropout
from hundredfold.compute.norms import rectified
from hundredfold.models._grouped import Grouped
from hundredfold.models._layers import Scale, conv, initialise, need_size, stem_for
from hundredfold.size import Size
from hundredfold.spec import BelowOne, Range

_IMAGENET = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}


class DenseLayer(nn.Module):
    """A 1x1 and a 3x3 convolution that append `growth` channels to their input."""

    def __init__(self, inputs: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, 4 * growth, 1)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = conv(4 * growth, growth, 3)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, inputs + growth, h, w)."""
        y = self.conv1(rectified(self.norm1, x))
        y = rectified(self.norm2, self.dropout(y))
        return torch.cat((x, self.dropout(self.conv2(y))), 1)


class Transition(nn.Module):
    """Halve the channels by a 1x1 convolution and the resolution by a 2x2 mean."""

    def __init__(self, inputs: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = conv(inputs, inputs // 2, 1)
        self.dropout = Dropout(dropout)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, inputs / 2, h / 2, w / 2)."""
        y = self.conv(rectified(self.norm, x))
        return self.pool(self.dropout(y))  # type: ignore[no-any-return]


class DenseNet(Grouped):
    """A stem, dense blocks with transitions between them, a pooled head."""

    def __init__(
        self,
        classes: int,
        blocks: tuple[int, ...],
        growth: int,
        dropout: float,
        stem: Literal["cifar", "imagenet"],
    ) -> None:
        super().__init__()
        self.scale = Scale()
        self.features = _stem(2 * growth, stem)
        channels = 2 * growth
        for number, layers in enumerate(blocks, start=1):
            block = nn.Sequential()
            for index in range(1, layers + 1):
                block.add_module(f"denselayer{index}", DenseLayer(channels, growth, dropout))
                channels += growth
            self.features.add_module(f"denseblock{number}", block)
            if number < len(blocks):
                self.features.add_module(f"transition{number}", Transition(channels, dropout))
                channels //= 2
        self.features.add_module(f"norm{len(blocks) + 1}", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes)."""
        return self.classifier(F.relu(x).mean((2, 3)))  # type: ignore[no-any-return]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a block and its transition."""
        names = [name for name, _ in self.features.named_children()]
        transition = f"transition{group}"
        return names.index(transition) + 1 if transition in names else len(names)

    def cut(self, groups: int) -> int:
        """Keep the stem and the first blocks; return the number of channels.

        The features end in a norm: the transition's, or the network's last.
        """
        names = [name for name, _ in self.features.named_children()]
        if f"transition{groups}" not in names:
            return int(self.features[-1].num_features)  # type: ignore[arg-type]
        norm = self.features.get_submodule(f"transition{groups}").norm
        for name in names[names.index(f"transition{groups}") :]:
            delattr(self.features, name)
        self.features.add_module(f"transition{groups}", nn.Sequential(OrderedDict(norm=norm)))  # type: ignore[arg-type]
        return int(norm.num_features)  # type: ignore[arg-type,union-attr]


def _stem(channels: int, stem: Literal["cifar", "imagenet"]) -> nn.Sequential:
    features = nn.Sequential()
    if stem == "cifar":
        features.add_module("conv0", conv(3, channels, 3))
        return features
    features.add_module("conv0", conv(3, channels, 7, 2))
    features.add_module("norm0", nn.BatchNorm2d(channels))
    features.add_module("relu0", nn.ReLU(inplace=True))
    features.add_module("pool0", nn.MaxPool2d(3, 2, padding=1))
    return features


def densenet(
    classes: int,
    size: Size,
    *,
    depth: Annotated[int, Range(10, 1000, step=6, also=(121, 169, 201))] = 100,
    growth: Annotated[int, Range(1, 512)] | None = None,
    dropout: BelowOne = 0.0,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build a DenseNet-BC (Huang et al. 2017): 4 * growth in bottlenecks, compression 0.5.

    depth: 121, 169, 201 (table 1, four blocks), or 6 n + 4 (three blocks): 40, 100, 190, 250.
    growth: channels that each layer appends; None is the paper's for that depth: 32 for 121, 169
        and 201, 40 for 190, 24 for 250, else 12.
    dropout: probability after each convolution but the first, in [0, 1); the paper's is 0.2 on
        data without augmentation.
    stem: "imagenet" is 7x7 with stride 2 and a max pool, "cifar" one 3x3 convolution;
        "auto" is "imagenet" from 96 pixels on for depths 121, 169 and 201.
    """
    if growth is None:
        growth = 32 if depth in _IMAGENET else {190: 40, 250: 24}.get(depth, 12)
    blocks = _IMAGENET.get(depth, ((depth - 4) // 6,) * 3)
    chosen = stem_for(stem, size if depth in _IMAGENET else 0)
    need_size("densenet", size, 2 ** (len(blocks) - 1) * (4 if chosen == "imagenet" else 1))
    return initialise(DenseNet(classes, blocks, growth, dropout, chosen))
