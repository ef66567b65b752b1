"""A convolution layer with a choice of algorithm per input size."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.conv_algorithms import (
    Algorithms,
    ConvAlgorithm,
    forward,
    input_gradient,
    likely,
    weight_gradient,
)
from hundredfold.compute.conv_library import Geometry, Pads, nchw, nhwc, split_pads
from hundredfold.compute.conv_matrices import positions

_WORTH = 1 / 8  # of a map's positions, at least, for leaving out its last row and column


class Conv2d(nn.Conv2d):
    """nn.Conv2d that in training uses an algorithm per input size.

    algorithms: (height, width) of the input -> Algorithms. Other sizes use the library, on a CPU
    with what is `likely` best for depthwise convolutions. Where nothing is trained, and under
    torch.compile, every size uses the library.
    even: do not compute a last odd row and column, which a following 2x2 pooling drops, where
    they are an eighth of the map or more. Raises ValueError for a kernel of 1 or any padding but
    "same".
    """

    algorithms: dict[tuple[int, int], Algorithms]

    def __init__(self, *shape: Any, even: bool = False, **options: Any) -> None:
        super().__init__(*shape, **options)
        self.algorithms = {}
        self.even = even
        if even and (self.padding != "same" or min(self.kernel_size) < 2):
            raise ValueError('even maps need a kernel of 2 or more and padding="same"')

    def geometry(self, height: int, width: int) -> Geometry | None:
        """Return stride, padding and groups for an input size.

        None where only the library is supported.
        """
        depthwise = self.groups == self.in_channels == self.out_channels
        plain = self.dilation == (1, 1) and self.padding_mode == "zeros"
        if not plain or not (self.groups == 1 or depthwise):
            return None
        down, across = self.stride
        return Geometry((down, across), self.pads(height, width), self.groups)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h', w')."""
        geometry = self.geometry(x.shape[2], x.shape[3]) if self._trains(x) else None
        algorithms = self._chosen(x, geometry) if geometry else None
        if geometry is None or algorithms is None:
            return self._library(x)
        weight, bias, dtype = self.weight, self.bias, _dtype(x)
        x, weight = x.to(dtype), weight.to(dtype)
        y: Tensor = _Convolve.apply(x, weight, geometry, algorithms)  # type: ignore[no-untyped-call]
        return y if bias is None else y + bias.to(y.dtype).view(-1, 1, 1)

    def _trains(self, x: Tensor) -> bool:
        """Return whether gradients are needed, and not by torch.compile, which takes no choice."""
        trained = x.requires_grad or self.weight.requires_grad
        trains = self.training or (trained and torch.is_grad_enabled())
        return trains and not torch.compiler.is_compiling()

    def _chosen(self, x: Tensor, geometry: Geometry) -> Algorithms | None:
        """Return the algorithms for an input; None is the library, without a choice."""
        chosen = self.algorithms.get((x.shape[2], x.shape[3]))
        if geometry.groups == 1:
            return None if chosen == Algorithms() else chosen
        if chosen or x.device.type != "cpu":
            return chosen
        guess = likely(self.weight.shape, x.shape[3], geometry, _dtype(x))
        return None if guess == Algorithms() else guess

    def _library(self, x: Tensor) -> Tensor:
        if self.padding_mode != "zeros":
            return super().forward(x)
        padding, pads = split_pads(self.pads(x.shape[2], x.shape[3]))
        padded = F.pad(x, pads) if any(pads) else x
        weight, bias = self.weight, self.bias
        return F.conv2d(padded, weight, bias, self.stride, padding, self.dilation, self.groups)

    def pads(self, height: int, width: int) -> Pads:
        """Return the zeros to add on the left, right, top and bottom of a map of this size."""
        left, right, top, bottom = self._reversed_padding_repeated_twice
        if self.even:
            rows, columns = height % 2, width % 2  # that a 2x2 pooling drops
            kept = (height - rows) * (width - columns)
            if kept <= (1 - _WORTH) * height * width:
                return left, right - columns, top, bottom - rows
        return left, right, top, bottom


def _dtype(x: Tensor) -> torch.dtype:
    """Return the type in which a convolution of x computes."""
    autocast = torch.is_autocast_enabled(x.device.type)
    return torch.get_autocast_dtype(x.device.type) if autocast else x.dtype


class _Convolve(torch.autograd.Function):
    """Forward and both gradients, each by its algorithm; NCHW outside, NHWC inside."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, geometry: Geometry, algorithms: Algorithms) -> Tensor:
        y = nchw(forward(nhwc(x), nhwc(weight), geometry, algorithms.forward))
        return y.data  # not a view: the next layer may change it in place

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ARG004
        x, weight, ctx.geometry, ctx.algorithms = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = (nhwc(saved) for saved in ctx.saved_tensors)
        gradient, geometry, algorithms = nhwc(gradient), ctx.geometry, ctx.algorithms
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = nchw(input_gradient(gradient, weight, x.shape, geometry, algorithms[1]))
        if ctx.needs_input_grad[1]:
            of_weight = nchw(weight_gradient(gradient, x, weight.shape, geometry, algorithms[2]))
        return of_x, of_weight, None, None


def directions(
    module: Conv2d, height: int, width: int, batch: int, dtype: torch.dtype
) -> tuple[Callable[[ConvAlgorithm], Tensor], ...]:
    """Return forward, input and weight gradient as functions of an algorithm, to be timed.

    They compute on random images (batch, height, width) and the module's weight in `dtype`.
    """
    geometry, weight = module.geometry(height, width), nhwc(module.weight.detach().to(dtype))
    assert geometry is not None
    x = torch.randn(batch, height, width, module.in_channels, dtype=dtype)
    y = forward(x, weight, geometry, "library")
    return (
        partial(forward, x, weight, geometry),
        partial(input_gradient, y, weight, x.shape, geometry),
        partial(weight_gradient, y, x, weight.shape, geometry),
    )


def products(module: Conv2d, height: int, width: int) -> int:
    """Count the matrix products of a convolution by the direct algorithm."""
    geometry = module.geometry(height, width)
    assert geometry is not None
    kh, kw = module.weight.shape[2:]
    return sum(len(window) for _, _, window in positions(height, width, kh, kw, geometry))
