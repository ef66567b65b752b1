"""Wide residual networks for 32x32 images (Zagoruyko & Komodakis 2016, arXiv:1605.07146).

    group   output     blocks        channels
    stem    32 x 32    --            16
    1       32 x 32    (depth-4)/6   16 * width
    2       16 x 16    (depth-4)/6   32 * width
    3        8 x 8     (depth-4)/6   64 * width
    head     1 x 1     --            classes

A block is BN-ReLU-conv3x3, BN-ReLU-dropout-conv3x3, plus its input; where the shape
changes, the shortcut is a 1x1 convolution of the normalised input.
"""

from typing import Annotated

from torch import Tensor, nn

from hundredfold.compute.dropout import Dropout
from hundredfold.compute.norms import rectified
from hundredfold.models._layers import Scale, conv, initialise
from hundredfold.spec import BelowOne, Range


class WideBlock(nn.Module):
    """Two pre-activated 3x3 convolutions with dropout between them, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, outputs, 3, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.dropout = Dropout(dropout)
        self.conv2 = conv(outputs, outputs, 3)
        self.shortcut = None
        if inputs != outputs or stride > 1:
            self.shortcut = conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        active = rectified(self.bn1, x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        active = rectified(self.bn2, self.conv1(active))
        return self.conv2(self.dropout(active)).add_(shortcut)  # type: ignore[no-any-return]


class WideResNet(nn.Module):
    """A stem, three groups of wide blocks, a pooled head."""

    def __init__(self, classes: int, blocks: int, width: int, dropout: float) -> None:
        super().__init__()
        self.scale = Scale()
        self.stem = conv(3, 16, 3)
        self.group1 = _group(16, 16 * width, blocks, 1, dropout)
        self.group2 = _group(16 * width, 32 * width, blocks, 2, dropout)
        self.group3 = _group(32 * width, 64 * width, blocks, 2, dropout)
        self.norm = nn.BatchNorm2d(64 * width)
        self.head = nn.Linear(64 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        x = self.stem(self.scale(images))
        x = self.group3(self.group2(self.group1(x)))
        x = rectified(self.norm, x)
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


def _group(inputs: int, outputs: int, blocks: int, stride: int, dropout: float) -> nn.Module:
    first = WideBlock(inputs, outputs, stride, dropout)
    rest = [WideBlock(outputs, outputs, 1, dropout) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def wrn(
    classes: int,
    *,
    depth: Annotated[int, Range(10, 1000, step=6)] = 28,
    width: Annotated[int, Range(1, 100)] = 10,
    dropout: BelowOne = 0.0,
) -> nn.Module:
    """Build a wide residual network (Zagoruyko & Komodakis 2016), WRN-depth-width.

    depth: 6 n + 4, 10 to 1000: 16, 22, 28, 40.
    width: factor on the channels 16, 32, 64.
    dropout: probability between a block's convolutions, in [0, 1); the paper's is 0.3.
    """
    return initialise(WideResNet(classes, (depth - 4) // 6, width, dropout))
