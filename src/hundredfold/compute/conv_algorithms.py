"""Algorithms of a convolution: the same sums in different orders.

    library         PyTorch's (oneDNN on a CPU)
    single_thread   the same on one thread, for cases where the library's threads busy-wait
    im2col          windows copied into rows, then one matrix product
    direct          forward: per output position and window row, one matrix product of views.
                    weight gradient: per kernel position, one product over all output positions.
                    Windows are cut at the edges instead of padded

On a CPU oneDNN is fast for large maps with few channels, and many times slower than a matrix
product for small maps with many. On a 3x3 map, 32 of a 3x3 kernel's 81 products are with padding.
The fastest algorithm depends on direction, shape, precision, threads and processor, so
`autotune.py` measures it.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hundredfold.compute.threads import threads

Pads = tuple[int, int, int, int]  # zeros on the left, right, top and bottom
ConvAlgorithm = Literal["library", "single_thread", "im2col", "direct"]
ALGORITHMS: tuple[ConvAlgorithm, ...] = ("library", "single_thread", "im2col", "direct")


class Algorithms(NamedTuple):
    """The algorithms of a convolution and of its two gradients."""

    forward: ConvAlgorithm = "library"
    input_gradient: ConvAlgorithm = "library"
    weight_gradient: ConvAlgorithm = "library"


class Geometry(NamedTuple):
    """Stride, and the zeros added on the left, right, top and bottom."""

    stride: tuple[int, int]
    pads: Pads


class WindowRow(NamedTuple):
    """The part of a window's row inside the image: its indices in the image and in the kernel."""

    row: int
    columns: slice
    kernel_row: int
    kernel_columns: slice

    def of_image(self, image: Tensor) -> Tensor:
        """Return the pixels of (b, h, w, c) as a view (b, columns c)."""
        return image[:, self.row, self.columns].flatten(1)

    def of_kernel(self, weight: Tensor) -> Tensor:
        """Return the weights of (o, kh, kw, c) as a view (o, columns c)."""
        return weight[:, self.kernel_row, self.kernel_columns].flatten(1)


def forward(x: Tensor, weight: Tensor, geometry: Geometry, algorithm: ConvAlgorithm) -> Tensor:
    """Convolve x (b, h, w, c) with weight (o, kh, kw, c) to (b, h', w', o)."""
    if algorithm == "single_thread":
        return _on_one_thread(forward, x, weight, geometry)
    if algorithm == "library":
        padding, pads = split_pads(geometry.pads)
        padded = nchw(_pad(x, pads))
        return nhwc(F.conv2d(padded, nchw(weight), None, geometry.stride, padding))
    height, width = _size(x, weight, geometry)
    if algorithm == "im2col":
        rows = _windows(x, weight.shape, geometry)
        return (rows @ weight.flatten(1).T).view(len(x), height, width, -1)
    y = x.new_empty(len(x), height, width, len(weight))
    for i, j, window in positions(*x.shape[1:3], *weight.shape[1:3], geometry):
        for number, part in enumerate(window):
            out = y[:, i, j].addmm_ if number else partial(torch.mm, out=y[:, i, j])
            out(part.of_image(x), part.of_kernel(weight).T)
    return y


def input_gradient(
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    geometry: Geometry,
    algorithm: ConvAlgorithm,
) -> Tensor:
    """Return the gradient (b, h, w, c) with respect to the input.

    gradient: (b, h', w', o). weight: (o, kh, kw, c). shape: of the input. With stride 1 it is a
    convolution of the gradient with the kernel rotated by 180 degrees. With a larger stride the
    library computes it, whatever the algorithm.
    """
    if algorithm == "single_thread":
        return _on_one_thread(input_gradient, gradient, weight, shape, geometry)
    if algorithm == "library" or geometry.stride != (1, 1):
        padding, (before, after, above, below) = split_pads(geometry.pads)
        height, width = above + shape[1] + below, before + shape[2] + after
        padded = gradient.new_empty(len(gradient), height, width, shape[3])
        padded_gradient = _library_gradient(gradient, padded, weight, geometry.stride, padding, 0)
        return padded_gradient[:, above : above + shape[1], before : before + shape[2]]
    left, right, top, bottom = geometry.pads
    kh, kw = weight.shape[1:3]
    rotated = (
        weight.permute(1, 2, 0, 3).contiguous().flip(0, 1).permute(3, 0, 1, 2)
    )  # keeps rows contiguous
    pads = (kw - 1 - left, kw - 1 - right, kh - 1 - top, kh - 1 - bottom)
    return forward(gradient, rotated, Geometry((1, 1), pads), algorithm)


def weight_gradient(
    gradient: Tensor, x: Tensor, shape: torch.Size, geometry: Geometry, algorithm: ConvAlgorithm
) -> Tensor:
    """Return the gradient (o, kh, kw, c) with respect to the weight.

    gradient: (b, h', w', o). x: (b, h, w, c). shape: of the weight.
    """
    if algorithm == "single_thread":
        return _on_one_thread(weight_gradient, gradient, x, shape, geometry)
    if algorithm == "library":
        padding, pads = split_pads(geometry.pads)
        padded, weight = _pad(x, pads), gradient.new_empty(shape)
        return _library_gradient(gradient, padded, weight, geometry.stride, padding, 1)
    if algorithm == "im2col":
        return (gradient.flatten(0, 2).T @ _windows(x, shape, geometry)).view(shape)
    result = gradient.new_zeros(shape)
    (down, across), (left, _, top, _) = geometry
    for i in range(shape[1]):
        out_rows, rows = _overlap(i - top, down, gradient.shape[1], x.shape[1])
        for j in range(shape[2]):
            out_columns, columns = _overlap(j - left, across, gradient.shape[2], x.shape[2])
            out = gradient[:, out_rows, out_columns].reshape(-1, shape[0])
            if len(out):
                inputs = x[:, rows, columns].reshape(-1, shape[3])
                torch.mm(out.T, inputs, out=result[:, i, j])
    return result


def _on_one_thread(function: Callable[..., Tensor], *arguments: Any) -> Tensor:
    with threads(1):
        return function(*arguments, "library")


def _overlap(offset: int, stride: int, outputs: int, inputs: int) -> tuple[slice, slice]:
    """Return the outputs for which a kernel position lies inside the image, and its inputs.

    offset: of the first input relative to the image's first pixel.
    """
    first = max(0, -(offset // stride))
    last = min(outputs, (inputs - 1 - offset) // stride + 1)
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first) * stride, stride)


@cache
def positions(
    height: int, width: int, kh: int, kw: int, geometry: Geometry
) -> tuple[tuple[int, int, tuple[WindowRow, ...]], ...]:
    """Return each output position, row and column, with the rows of its window."""
    (down, across), (left, right, top, bottom) = geometry
    positions = []
    for i in range((height + top + bottom - kh) // down + 1):
        rows = range(max(0, i * down - top), min(height, i * down - top + kh))
        for j in range((width + left + right - kw) // across + 1):
            first = j * across - left
            columns = slice(max(0, first), min(width, first + kw))
            inside = slice(columns.start - first, columns.stop - first)
            window = (WindowRow(row, columns, row - i * down + top, inside) for row in rows)
            positions.append((i, j, tuple(window)))
    return tuple(positions)


def _windows(x: Tensor, weight: torch.Size, geometry: Geometry) -> Tensor:
    """Copy the window of each output position into a row: (b h' w', kh kw c)."""
    (down, across), pads = geometry
    x = _pad(x, pads)
    windows = x.unfold(1, weight[1], down).unfold(2, weight[2], across)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, weight[1] * weight[2] * x.shape[3])


def _library_gradient(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    index: int,
) -> Tensor:
    """Return PyTorch's gradient with respect to the input (index 0) or the weight (index 1)."""
    result: Tensor = torch.ops.aten.convolution_backward(
        nchw(gradient), nchw(x), nchw(weight), None, stride, padding, (1, 1),
        False, (0, 0), 1, (index == 0, index == 1, False),
    )[index]  # fmt: skip
    return nhwc(result)


def _size(x: Tensor, weight: Tensor, geometry: Geometry) -> tuple[int, int]:
    (down, across), (left, right, top, bottom) = geometry
    height = (x.shape[1] + top + bottom - weight.shape[1]) // down + 1
    return height, (x.shape[2] + left + right - weight.shape[2]) // across + 1


def split_pads(
    pads: tuple[int, int, int, int],
) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Split pads into the library's symmetric padding (rows, columns) and explicit pads."""
    left, right, top, bottom = pads
    even = (left, top) == (right, bottom)
    return ((top, left), (0, 0, 0, 0)) if even else ((0, 0), pads)


def _pad(x: Tensor, pads: tuple[int, int, int, int]) -> Tensor:
    return F.pad(x, (0, 0, *pads)) if any(pads) else x


def nhwc(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, h, w, c), contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def nchw(x: Tensor) -> Tensor:
    """(b, h, w, c) -> (b, c, h, w), a view."""
    return x.permute(0, 3, 1, 2)
