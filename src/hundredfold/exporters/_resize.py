"""Resize images in a graph as Pillow's bicubic filter does, to the network's size.

Each pass is a matrix product: a row of its matrix holds the weights of one output pixel.

- Kernel: Keys 1981, IEEE ASSP 29 (6), with a = -0.5; its support grows with the scale when an
  image becomes smaller, so that every input pixel counts.
- Borders: weights outside the image are left out, and the rest is normalised to a sum of 1.
- Rounding: to 0..255 after the first pass, and again after the second one.
- Order: columns first, or rows first where those become much fewer. Pillow 13 does so by the rule
  in `_rows_first`, which was read off its results (4,000 random sizes, all explained); earlier
  versions always resize columns first. A graph follows the Pillow that is installed.

Pillow rounds its weights to 22 bits, and products here are fp32, so a result that lies halfway
between two levels can be the other one. An image of the wanted size stays as it is.
"""

import PIL
import torch
from torch import Tensor, nn

from hundredfold.data import Resize
from hundredfold.size import Size

_SUPPORT = 2.0  # pixels on either side that a bicubic weight reaches
_A = -0.5
_CHOOSES_ORDER = int(PIL.__version__.split(".")[0]) >= 13


class ResizeImages(nn.Module):
    """Images of any one size to the size of a network, by a policy of `data.decode`.

    branch: whether a graph chooses the order of passes; else it computes both and takes one.
    """

    def __init__(self, size: Size, policy: Resize, *, branch: bool = True) -> None:
        super().__init__()
        self.size, self.policy, self.branch = size, policy, branch

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, height, width, 3) -> uint8 (b, size.height, size.width, 3)."""
        height, width = images.shape[1], images.shape[2]
        high, wide = _double(height), _double(width)
        rows, columns = self._kept(high, wide)
        down, across = self._matrices(height, width, rows, columns)
        planes = images.permute(0, 3, 1, 2).float()
        first = _rows_first(high, wide, rows, columns)
        matrices = planes, down, across.T
        if not _CHOOSES_ORDER:
            resized = _columns_then_rows(*matrices)
        elif self.branch:
            resized = torch.cond(first, _rows_then_columns, _columns_then_rows, matrices)
        else:
            resized = torch.where(
                first, _rows_then_columns(*matrices), _columns_then_rows(*matrices)
            )
        return resized.to(torch.uint8).permute(0, 2, 3, 1)

    def _kept(self, high: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many rows and columns an image of this size becomes, without its frame."""
        whole_high, whole_wide = _double(self.size.height), _double(self.size.width)
        if self.policy != "pad":
            return whole_high, whole_wide
        tall = high * self.size.width >= wide * self.size.height
        rows = torch.where(tall, whole_high, _rounded(high * self.size.width / wide))
        return rows, torch.where(tall, _rounded(wide * self.size.height / high), whole_wide)

    def _matrices(
        self, height: int, width: int, rows: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the weights of rows (size.height, height) and of columns (size.width, width)."""
        high, wide = _double(height), _double(width)
        if self.policy == "stretch":
            return (
                weights(self.size.height, height, _double(0), high),
                weights(self.size.width, width, _double(0), wide),
            )
        if self.policy == "crop":
            kept_high = torch.minimum(high, wide * self.size.height / self.size.width)
            kept_wide = torch.minimum(wide, high * self.size.width / self.size.height)
            top, left = (high - kept_high) / 2, (wide - kept_wide) / 2
            return (
                weights(self.size.height, height, top, top + kept_high),
                weights(self.size.width, width, left, left + kept_wide),
            )
        return (
            padded_weights(self.size.height, height, rows),
            padded_weights(self.size.width, width, columns),
        )


def weights(outputs: int, inputs: int, start: Tensor, end: Tensor) -> Tensor:
    """Return (outputs, inputs) fp32: weights of pixels within [start, end] of `inputs` pixels."""
    start, end = start.float(), end.float()  # Pillow keeps a box in fp32
    scale = (end - start).double() / outputs
    return _weights(start.double() + (_steps(outputs) + 0.5) * scale, inputs, scale)


def padded_weights(outputs: int, inputs: int, length: Tensor) -> Tensor:
    """Return (outputs, inputs) fp32: `length` pixels in the middle, and zeros around them."""
    scale = _double(inputs) / length
    index = _steps(outputs) - torch.floor((outputs - length) / 2)
    inside = (index >= 0) & (index < length)
    matrix = _weights((index + 0.5) * scale, inputs, scale)
    return torch.where(inside[:, None], matrix, torch.zeros_like(matrix))


def _weights(centers: Tensor, inputs: int, scale: Tensor) -> Tensor:
    """Return normalised weights (len(centers), inputs) of input pixels around centers."""
    stretch = torch.clamp(scale, min=1.0)
    support = _SUPPORT * stretch
    first = torch.floor(torch.clamp(centers - support + 0.5, min=0.0))[:, None]
    last = torch.floor(centers + support + 0.5)[:, None]
    pixels = _steps(inputs)
    kernel = _bicubic(torch.abs((pixels + 0.5 - centers[:, None]) / stretch))
    within = (pixels >= first) & (pixels < last)
    kernel = torch.where(within, kernel, torch.zeros_like(kernel))
    total = kernel.sum(1, keepdim=True)
    total = torch.where(total == 0, torch.ones_like(total), total)
    return (kernel / total).float()


def _bicubic(x: Tensor) -> Tensor:
    """Return the kernel at distances x >= 0."""
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _A
    zero = torch.zeros_like(x)
    return torch.where(x < 1, near, torch.where(x < _SUPPORT, far, zero))


def _rows_first(high: Tensor, wide: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return whether Pillow resizes (high, wide) to (rows, columns) row by row first."""
    return (high > rows) & (high - rows > 2 * (wide - columns))


def _rows_then_columns(planes: Tensor, down: Tensor, across: Tensor) -> Tensor:
    return _levels(_levels(down @ planes) @ across).clone()


def _columns_then_rows(planes: Tensor, down: Tensor, across: Tensor) -> Tensor:
    return _levels(down @ _levels(planes @ across)).clone()  # without it, no graph for ONNX


def _levels(values: Tensor) -> Tensor:
    return torch.clamp(torch.floor(values + 0.5), 0.0, 255.0)


def _rounded(length: Tensor) -> Tensor:
    return torch.clamp(torch.round(length), min=1.0)


def _double(value: int) -> Tensor:
    return torch.scalar_tensor(value, dtype=torch.float64)


def _steps(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64)
