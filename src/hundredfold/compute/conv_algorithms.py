"""Algorithms of a convolution: the same sums in different orders.

    library         PyTorch's (oneDNN on a CPU)
    single_thread   the same on one thread, for cases where the library's threads busy-wait
    fp32            the same in fp32, and the result rounded
    im2col          windows copied into rows, then one matrix product
    direct          forward: per output position and window row, one matrix product of views.
                    weight gradient: per kernel position, one product over all output positions.
                    Windows are cut at the edges instead of padded
    reduced         of depthwise convolutions: gradients by way of other convolutions, for which
                    the library has kernels (`conv_depthwise.py`)

On a CPU oneDNN is fast for large maps with few channels, and many times slower than a matrix
product for small maps with many. On a 3x3 map, 32 of a 3x3 kernel's 81 products are with padding.
The fastest algorithm depends on direction, shape, precision, threads and processor, so
`autotune.py` measures it.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from hundredfold.compute import conv_depthwise as depthwise
from hundredfold.compute import conv_library as library
from hundredfold.compute import conv_matrices as matrices
from hundredfold.compute.conv_library import Geometry
from hundredfold.compute.threads import threads

ConvAlgorithm = Literal["library", "single_thread", "fp32", "im2col", "direct", "reduced"]
ALGORITHMS: tuple[ConvAlgorithm, ...] = (
    "library", "single_thread", "fp32", "im2col", "direct", "reduced",
)  # fmt: skip


class Algorithms(NamedTuple):
    """The algorithms of a convolution and of its two gradients."""

    forward: ConvAlgorithm = "library"
    input_gradient: ConvAlgorithm = "library"
    weight_gradient: ConvAlgorithm = "library"


def likely(weight: torch.Size, width: int, geometry: Geometry, dtype: torch.dtype) -> Algorithms:
    """Return what is used without timing trials: not the library where it has no fast kernel.

    weight: (c, 1, kh, kw) of a depthwise convolution; all others are the library's. width: of the
    images.
    """
    if geometry.groups == 1 or dtype not in (torch.bfloat16, torch.float32):
        return Algorithms()
    of_x = depthwise.lacks_input_gradient(geometry, dtype)
    of_weight = depthwise.lacks_weight_gradient(weight[3])
    of_weight = of_weight or depthwise.wrong_weight_gradient(width, geometry)
    names: dict[bool, ConvAlgorithm] = {True: "reduced", False: "library"}
    return Algorithms("library", names[of_x], names[of_weight])


def forward(x: Tensor, weight: Tensor, geometry: Geometry, algorithm: ConvAlgorithm) -> Tensor:
    """Convolve x (b, h, w, c) with weight (o, kh, kw, c) to (b, h', w', o).

    "im2col" and "direct" are of dense convolutions, "reduced" of depthwise ones; where they do not
    apply, it is the library, here and below.
    """
    if geometry.groups == 1 and (algorithm == "im2col" or algorithm == "direct"):
        return matrices.forward(x, weight, geometry, algorithm)
    return _by_library(library.forward, algorithm, x, weight, geometry)


def input_gradient(
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    geometry: Geometry,
    algorithm: ConvAlgorithm,
) -> Tensor:
    """Return the gradient (b, h, w, c) with respect to the input.

    gradient: (b, h', w', o). weight: (o, kh, kw, c). shape: of the input. Matrix products need
    stride 1.
    """
    plain, given = geometry.stride == (1, 1), (gradient, weight, shape, geometry)
    if geometry.groups == 1 and plain and (algorithm == "im2col" or algorithm == "direct"):
        return matrices.input_gradient(gradient, weight, geometry, algorithm)
    if geometry.groups > 1 and algorithm == "reduced":
        return depthwise.input_gradient(*given)
    return _by_library(library.input_gradient, algorithm, *given)


def weight_gradient(
    gradient: Tensor, x: Tensor, shape: torch.Size, geometry: Geometry, algorithm: ConvAlgorithm
) -> Tensor:
    """Return the gradient (o, kh, kw, c) with respect to the weight.

    gradient: (b, h', w', o). x: (b, h, w, c). shape: of the weight.
    """
    given = gradient, x, shape, geometry
    if geometry.groups == 1 and (algorithm == "im2col" or algorithm == "direct"):
        return matrices.weight_gradient(*given, algorithm)
    reduced = geometry.groups > 1 and algorithm == "reduced"
    if reduced or depthwise.wrong_weight_gradient(x.shape[2], geometry):
        return depthwise.weight_gradient(*given)
    return _by_library(library.weight_gradient, algorithm, *given)


def _by_library(
    function: Callable[..., Tensor], algorithm: ConvAlgorithm, *arguments: Any
) -> Tensor:
    """Call a function of the library: in fp32, on one thread, or as it is."""
    if algorithm == "fp32":
        dtype = arguments[0].dtype
        floats = (a.float() if isinstance(a, Tensor) else a for a in arguments)
        return function(*floats).to(dtype)
    if algorithm == "single_thread":
        with threads(1):
            return function(*arguments)
    return function(*arguments)
