"""A trained network as a module that takes raw images and answers with probabilities.

layer      output                       dtype
resize     batch, height, width, 3      uint8      by the run's policy, as Pillow does it
core       batch, classes               float32    the network; logits
head       probabilities, logits, unknown
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.calibration import GAMMA, MOST
from hundredfold.data import Resize
from hundredfold.exporters._resize import ResizeImages
from hundredfold.size import Size


class Answers(NamedTuple):
    """probabilities, logits: (batch, classes) float32. unknown: (batch,), in [0, 1]."""

    probabilities: Tensor
    logits: Tensor
    unknown: Tensor


class Core(nn.Module):
    """Images (batch, height, width, 3) of the network's own size -> logits (batch, classes)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.permute(0, 3, 1, 2)).float()  # type: ignore[no-any-return]


class Head(nn.Module):
    """Logits (batch, classes) -> `Answers`, as `calibration` computes them.

    temperature: logits are divided by it. Sums and powers are float64, because the power 0.1 of a
    probability next to 0 or 1 magnifies its rounding.
    """

    def __init__(self, temperature: float, classes: int) -> None:
        super().__init__()
        self.temperature, self.classes = temperature, classes
        self.count = min(MOST, classes)
        share = 1 / self.count
        self.most = self.count * (share * (1 - share)) ** GAMMA if self.count > 1 else 1.0
        self.all = self.count == classes

    def forward(self, logits: Tensor) -> Answers:
        probabilities = torch.softmax(logits.double() / self.temperature, 1).float()
        best = probabilities if self.all else torch.topk(probabilities, self.count, 1)[0]
        p = best.double()
        entropy = (torch.pow(p, GAMMA) * torch.pow(1 - p, GAMMA)).sum(1) / self.most
        return Answers(probabilities, logits, torch.clamp(entropy, 0.0, 1.0).float())


class Deployable(nn.Module):
    """Images uint8 (batch, height, width, 3) of any one size -> `Answers`."""

    def __init__(self, size: Size, policy: Resize, core: nn.Module, head: Head) -> None:
        super().__init__()
        self.resize, self.core, self.head = ResizeImages(size, policy), core, head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        answers: Answers = self.head(self.core(self.resize(images)))
        return answers.probabilities, answers.logits, answers.unknown


class Enlarged(nn.Module):
    """A `Transfer` whose bicubic resize is two products with constant matrices.

    A matrix is the resize of the unit matrix, so both are equal up to rounding.
    """

    down: Tensor
    across: Tensor

    def __init__(self, network: nn.Module, before: Size, after: Size) -> None:
        super().__init__()
        self.network = network
        smaller = before.height > after.height or before.width > after.width
        self.register_buffer("down", _bicubic(before.height, after.height, antialias=smaller))
        self.register_buffer("across", _bicubic(before.width, after.width, antialias=smaller))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        larger = self.down @ (images.float() @ self.across.T)
        return self.network.head(self.network.backbone(larger))  # type: ignore[operator,no-any-return]


def _bicubic(inputs: int, outputs: int, *, antialias: bool) -> Tensor:
    """Return the weights (outputs, inputs) of a bicubic resize along one side."""
    unit = torch.eye(inputs)[None, None]
    size = (outputs, inputs)
    matrix = F.interpolate(unit, size, mode="bicubic", antialias=antialias)
    return matrix[0, 0].contiguous()
