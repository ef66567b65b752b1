"""PyTorch's convolution and its gradients (oneDNN on a CPU), on images (b, h, w, c).

Weights are (o, kh, kw, c), or (o, kh, kw, 1) of a depthwise convolution.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Pads = tuple[int, int, int, int]  # zeros on the left, right, top and bottom


class Geometry(NamedTuple):
    """Stride, the zeros added on the left, right, top and bottom, and groups of channels.

    groups: 1, or the number of channels of a depthwise convolution.
    """

    stride: tuple[int, int]
    pads: Pads
    groups: int = 1


def forward(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Convolve x (b, h, w, c) with weight to (b, h', w', o)."""
    padding, pads = split_pads(geometry.pads)
    padded, options = nchw(pad(x, pads)), (geometry.stride, padding, 1, geometry.groups)
    return nhwc(F.conv2d(padded, nchw(weight), None, *options))


def input_gradient(
    gradient: Tensor, weight: Tensor, shape: torch.Size, geometry: Geometry
) -> Tensor:
    """Return the gradient (b, h, w, c) with respect to the input of that shape."""
    padding, (before, after, above, below) = split_pads(geometry.pads)
    height, width = above + shape[1] + below, before + shape[2] + after
    padded = gradient.new_empty(len(gradient), height, width, shape[3])
    padded_gradient = _backward(gradient, padded, weight, geometry, padding, 0)
    return padded_gradient[:, above : above + shape[1], before : before + shape[2]]


def weight_gradient(gradient: Tensor, x: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """Return the gradient with respect to the weight of that shape."""
    padding, pads = split_pads(geometry.pads)
    return _backward(gradient, pad(x, pads), gradient.new_empty(shape), geometry, padding, 1)


def _backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    geometry: Geometry,
    padding: tuple[int, int],
    index: int,
) -> Tensor:
    """Return PyTorch's gradient with respect to the input (index 0) or the weight (index 1)."""
    result: Tensor = torch.ops.aten.convolution_backward(
        nchw(gradient), nchw(x), nchw(weight), None, geometry.stride, padding, (1, 1),
        False, (0, 0), geometry.groups, (index == 0, index == 1, False),
    )[index]  # fmt: skip
    return nhwc(result)


def split_pads(pads: Pads) -> tuple[tuple[int, int], Pads]:
    """Split pads into the library's symmetric padding (rows, columns) and explicit pads."""
    left, right, top, bottom = pads
    even = (left, top) == (right, bottom) and min(pads) >= 0
    return ((top, left), (0, 0, 0, 0)) if even else ((0, 0), pads)


def pad(x: Tensor, pads: Pads) -> Tensor:
    """Add zeros around images (b, h, w, c); a negative number cuts off pixels."""
    return F.pad(x, (0, 0, *pads)) if any(pads) else x


def nhwc(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, h, w, c), contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def nchw(x: Tensor) -> Tensor:
    """(b, h, w, c) -> (b, c, h, w), a view."""
    return x.permute(0, 3, 1, 2)


def overlap(offset: int, stride: int, outputs: int, inputs: int) -> tuple[slice, slice]:
    """Return the outputs for which a kernel position lies inside the image, and its inputs.

    offset: of the first input relative to the image's first pixel.
    """
    first = max(0, -(offset // stride))
    last = min(outputs, (inputs - 1 - offset) // stride + 1)
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first) * stride, stride)
