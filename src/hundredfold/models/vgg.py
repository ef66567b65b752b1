"""Very deep plain convolutional networks (Simonyan & Zisserman 2015, arXiv:1409.1556).

Configurations A, B, D, E of table 1; output at 224 px and at 32 px:

    group   output at its end    11   13   16   19   channels
    1       112 x 112, 16 x 16   1    2    2    2    64
    2        56 x 56,   8 x 8    1    2    2    2    128
    3        28 x 28,   4 x 4    2    2    3    4    256
    4        14 x 14,   2 x 2    2    2    3    4    512
    5         7 x 7,    1 x 1    2    2    3    4    512

Each convolution is 3x3 with ReLU, each group ends with a 2x2 max pool. Heads:

    imagenet   dense 4096, dense 4096, dense classes        the paper's
    dense      dense 512, dense classes                     Liu & Deng 2015, for CIFAR
    pool       global average, dense classes                Lin et al. 2014, arXiv:1312.4400

Names of weights are torchvision's (with the ImageNet head for the dense layers).
"""

from typing import Annotated, Literal

from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.compute.dropout import Dropout
from hundredfold.models._grouped import Grouped
from hundredfold.models._layers import Scale, initialise, need_size
from hundredfold.size import Size
from hundredfold.spec import BelowOne, OneOf

_GROUPS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_CHANNELS = (64, 128, 256, 512, 512)


class VGG(Grouped):
    """Five groups of convolutions and one of the heads."""

    def __init__(self, features: nn.Sequential, pool: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.scale = Scale()
        self.features = features
        self.avgpool = pool
        self.classifier = classifier

    def finish(self, x: Tensor) -> Tensor:
        """Maps (b, channels, h, w) of the last layer -> logits (b, classes)."""
        return self.classifier(self.avgpool(x).flatten(1))  # type: ignore[no-any-return]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a group and its pool."""
        pools = [n for n, layer in enumerate(self.features) if isinstance(layer, nn.MaxPool2d)]
        return pools[group - 1] + 2

    def cut(self, groups: int) -> int:
        """Keep the first groups, 1 to 5, each with its pool; return their channels."""
        self.features = nn.Sequential(*list(self.features)[: self.end(groups)])
        return _CHANNELS[groups - 1]


def _features(depth: int, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for count, channels in zip(_GROUPS[depth], _CHANNELS, strict=True):
        for _ in range(count):
            layers.append(Conv2d(inputs, channels, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            inputs = channels
        # max and ReLU commute; pooling first leaves ReLU a quarter of the work
        layers[-1:] = [nn.MaxPool2d(2), layers[-1]]
    return nn.Sequential(*layers)


def _imagenet_head(classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(inplace=True),
        Dropout(dropout),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        Dropout(dropout),
        nn.Linear(4096, classes),
    )


def _dense_head(classes: int, inputs: int, dropout: float, batch_norm: bool) -> nn.Sequential:
    return nn.Sequential(
        Dropout(dropout),
        nn.Linear(inputs, 512),
        *([nn.BatchNorm1d(512)] if batch_norm else []),
        nn.ReLU(inplace=True),
        Dropout(dropout),
        nn.Linear(512, classes),
    )


def vgg(
    classes: int,
    size: Size,
    *,
    depth: Annotated[int, OneOf(11, 13, 16, 19)] = 16,
    batch_norm: bool = True,
    dropout: BelowOne = 0.5,
    head: Literal["auto", "dense", "pool", "imagenet"] = "auto",
) -> nn.Module:
    """Build a plain deep network (Simonyan & Zisserman 2015), with BatchNorm or without.

    size: at least 32 pixels.
    depth: 11, 13, 16 or 19.
    batch_norm: after each convolution (and the hidden layer of the "dense" head).
    dropout: probability before or after the dense layers, in [0, 1).
    head: "imagenet" has two hidden layers of 4096, "dense" one of 512, "pool" none;
        "auto" is "dense" below 96 pixels and "imagenet" from there on.
    """
    need_size("vgg", size, 32)
    features = _features(depth, batch_norm)
    if head == "auto":
        head = "imagenet" if size.least >= 96 else "dense"
    if head == "imagenet":
        model = VGG(features, nn.AdaptiveAvgPool2d(7), _imagenet_head(classes, dropout))
        return initialise(model, linear_std=0.01)
    if head == "dense":
        classifier = _dense_head(
            classes, 512 * (size.height // 32) * (size.width // 32), dropout, batch_norm
        )
        return initialise(VGG(features, nn.Identity(), classifier))
    classifier = nn.Sequential(Dropout(dropout), nn.Linear(512, classes))
    return initialise(VGG(features, nn.AdaptiveAvgPool2d(1), classifier))
