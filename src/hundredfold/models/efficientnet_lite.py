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

from functools import partial
from typing import Literal

from torch import nn

from hundredfold.models._inverted import EfficientNet, Style
from hundredfold.models._layers import initialise, stem_for
from hundredfold.size import Size
from hundredfold.spec import BelowOne

_STYLE = Style(partial(nn.ReLU6, inplace=True), 1e-3, same_padding=True, excited=False)


def efficientnet_lite(
    classes: int,
    size: Size,
    *,
    dropout: BelowOne = 0.2,
    stem: Literal["auto", "cifar", "imagenet"] = "auto",
) -> nn.Module:
    """Build an EfficientNet-Lite0 (Liu 2020).

    dropout: probability on the 1280 features, in [0, 1).
    stem: "imagenet" halves the images five times, "cifar" three times; "auto" is "imagenet"
        from 96 pixels on.
    """
    return initialise(EfficientNet(classes, dropout, stem_for(stem, size), _STYLE))
