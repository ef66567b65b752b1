"""Convolutions by matrix products: "im2col" and "direct" of `conv_algorithms.py`."""

from functools import cache, partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from hundredfold.compute.conv_library import Geometry, overlap, pad

MatrixAlgorithm = Literal["im2col", "direct"]


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


def forward(x: Tensor, weight: Tensor, geometry: Geometry, algorithm: MatrixAlgorithm) -> Tensor:
    """Convolve x (b, h, w, c) with weight (o, kh, kw, c) to (b, h', w', o)."""
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
    geometry: Geometry,
    algorithm: MatrixAlgorithm,
) -> Tensor:
    """Return the gradient (b, h, w, c) with respect to the input; the stride is 1.

    gradient: (b, h', w', o). weight: (o, kh, kw, c). It is a convolution of the gradient with the
    kernel rotated by 180 degrees.
    """
    left, right, top, bottom = geometry.pads
    kh, kw = weight.shape[1:3]
    rotated = (
        weight.permute(1, 2, 0, 3).contiguous().flip(0, 1).permute(3, 0, 1, 2)
    )  # keeps rows contiguous
    pads = (kw - 1 - left, kw - 1 - right, kh - 1 - top, kh - 1 - bottom)
    return forward(gradient, rotated, Geometry((1, 1), pads), algorithm)


def weight_gradient(
    gradient: Tensor, x: Tensor, shape: torch.Size, geometry: Geometry, algorithm: MatrixAlgorithm
) -> Tensor:
    """Return the gradient (o, kh, kw, c) with respect to the weight.

    gradient: (b, h', w', o). x: (b, h, w, c). shape: of the weight.
    """
    if algorithm == "im2col":
        return (gradient.flatten(0, 2).T @ _windows(x, shape, geometry)).view(shape)
    result = gradient.new_zeros(shape)
    (down, across), (left, _, top, _), _ = geometry
    for i in range(shape[1]):
        out_rows, rows = overlap(i - top, down, gradient.shape[1], x.shape[1])
        for j in range(shape[2]):
            out_columns, columns = overlap(j - left, across, gradient.shape[2], x.shape[2])
            out = gradient[:, out_rows, out_columns].reshape(-1, shape[0])
            if len(out):
                inputs = x[:, rows, columns].reshape(-1, shape[3])
                torch.mm(out.T, inputs, out=result[:, i, j])
    return result


@cache
def positions(
    height: int, width: int, kh: int, kw: int, geometry: Geometry
) -> tuple[tuple[int, int, tuple[WindowRow, ...]], ...]:
    """Return each output position, row and column, with the rows of its window."""
    (down, across), (left, right, top, bottom), _ = geometry
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
    (down, across), pads, _ = geometry
    x = pad(x, pads)
    windows = x.unfold(1, weight[1], down).unfold(2, weight[2], across)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, weight[1] * weight[2] * x.shape[3])


def _size(x: Tensor, weight: Tensor, geometry: Geometry) -> tuple[int, int]:
    (down, across), (left, right, top, bottom), _ = geometry
    height = (x.shape[1] + top + bottom - weight.shape[1]) // down + 1
    return height, (x.shape[2] + left + right - weight.shape[2]) // across + 1
