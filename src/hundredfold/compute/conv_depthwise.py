"""Depthwise convolutions by way of others, for which oneDNN has fast kernels.

Where oneDNN lacks a kernel for a depthwise convolution, it computes a dense one, whose weights are
zero but for one channel in each: a hundred times the arithmetic. It lacks two gradients:

    of the input, in bf16, with a stride    is a convolution of stride 1 of the output's gradient,
                                            with zeros between its pixels
    of weights of more than 3 columns       is put together from strips of at most 3 columns

Both are the same sums, in the library's own order within a strip.
"""

import torch
from torch import Tensor

from hundredfold.compute import conv_library as library
from hundredfold.compute.conv_library import Geometry

_COLUMNS = 3  # of a kernel, at most, for which oneDNN has a depthwise gradient of the weight


def lacks_input_gradient(geometry: Geometry, dtype: torch.dtype) -> bool:
    """Return whether oneDNN has no fast depthwise gradient of the input."""
    return dtype == torch.bfloat16 and geometry.stride != (1, 1)


def lacks_weight_gradient(columns: int) -> bool:
    """Return whether oneDNN has no fast depthwise gradient of kernels of so many columns."""
    return columns > _COLUMNS


def wrong_weight_gradient(width: int, geometry: Geometry) -> bool:
    """Return whether oneDNN's depthwise gradient of the weight is wrong for images of a width.

    In bf16, oneDNN 3.12 leaves unset what belongs to zeros at the sides where one window has all.
    """
    return geometry.groups > 1 and geometry.stride[1] > width


def input_gradient(
    gradient: Tensor, weight: Tensor, shape: torch.Size, geometry: Geometry
) -> Tensor:
    """Return the gradient (b, h, w, c) of an input of that shape, for any stride.

    gradient: (b, h', w', c). weight: (c, kh, kw, 1).
    """
    (down, across), (left, _, top, _), groups = geometry
    kh, kw = weight.shape[1:3]
    height, above, rows = _spread(shape[1], gradient.shape[1], kh, down, top)
    width, before, columns = _spread(shape[2], gradient.shape[2], kw, across, left)
    canvas = gradient.new_zeros(len(gradient), height, width, shape[3])
    canvas[:, rows[1], columns[1]] = gradient[:, rows[0], columns[0]]
    return library.forward(
        canvas, weight.flip(1, 2), Geometry((1, 1), (before, before, above, above), groups)
    )


def weight_gradient(gradient: Tensor, x: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """Return the gradient of a weight of that shape, (c, kh, kw, 1), strip by strip.

    gradient: (b, h', w', c). x: (b, h, w, c).
    """
    stride, (left, _, top, bottom), groups = geometry
    c, kh, kw, _ = shape
    cut = Geometry(stride, (0, 0, 0, 0), groups)
    strips = []
    for first in range(0, kw, _COLUMNS):
        columns = min(_COLUMNS, kw - first)
        strip = torch.Size((c, kh, columns, 1))
        width = stride[1] * (gradient.shape[2] - 1) + columns  # of the pixels that the strip meets
        before = left - first
        after = width - x.shape[2] - before
        if -min(before, after) >= x.shape[2]:  # it meets zeros only
            strips.append(gradient.new_zeros(strip))
            continue
        part = library.pad(x, (before, after, top, bottom))
        strips.append(library.weight_gradient(gradient, part, strip, cut))
    return torch.cat(strips, 2)


def _spread(
    inputs: int, outputs: int, kernel: int, stride: int, before: int
) -> tuple[int, int, tuple[slice, slice]]:
    """Lay out one axis of a gradient with `stride - 1` zeros between its pixels.

    before: zeros that the convolution adds before the first of its `inputs`. Return the length of
    the canvas, the zeros to add at both of its ends, and which outputs lie where on it. So little
    of it is zeros at the ends as equal numbers at both allow.
    """
    whole = inputs + kernel - 1  # the canvas and the zeros at its ends
    first = kernel - 1 - before  # of the first output, from the beginning of the whole
    last = whole - 1 - (first + stride * (outputs - 1))  # of the last one, from its end
    ends = max(0, min(first, last))
    length = whole - 2 * ends
    return length, ends, library.overlap(first - ends, stride, outputs, length)
