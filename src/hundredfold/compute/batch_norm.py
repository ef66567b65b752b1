"""Batch normalisation in training, alone or with the sum and the ReLU that follow it.

One node of autograd's graph stands for BatchNorm, the addition of a shortcut and the ReLU. Kernels
are torch's, but for two cases of bf16 on a CPU, where torch's have no fast one:

- A ReLU of bf16 numbers is one of the 16-bit integers with the same bits: negative numbers are
  negative integers. Both keep every bit of a number; only a NaN would be lost, so channels that may
  hold one take torch's ReLU.
- Torch's kernel computes 32 channels at a time and the rest one by one. Where the number of
  channels is no multiple of 32, several pixels are taken as one with as many times the channels,
  and their statistics are put together.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_SUM = 2**-16  # rounding of a mean of up to a million numbers in fp32, relative to the mean
_RESOLUTION = 2**-20  # of eps: 1 / sqrt(variance + eps) does not tell smaller variances from 0
_CLEARLY = 0.99  # below this, rounding cannot make a channel constant

_LANES = 32  # bf16 numbers in a register
_WIDE = 128  # channels from which a remainder of them hardly counts
_LARGE = 2**18  # numbers from which the statistics are worth putting together


def constant(mean: Tensor, inverse: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """Return where the deviation is within the distance of neighbouring numbers at the mean.

    dtype: of the values; that distance is a 128th of the mean in bf16. Trainings on CIFAR-100 stay
    35 times above it.

    inverse: 1 / sqrt(variance + eps), of mean's shape.
    """
    variance = inverse.square().reciprocal() - eps
    distance = mean * _distance(dtype)
    return variance <= distance.square() + _RESOLUTION * eps


def _distance(dtype: torch.dtype) -> float:
    """Return the distance of neighbouring numbers, relative to them."""
    return max(torch.finfo(dtype).eps, _SUM)


class Layer(NamedTuple):
    """What a BatchNorm layer brings to a pass. momentum: the weight of this batch's statistics."""

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    momentum: float
    eps: float


def normalise(x: Tensor, layer: Layer, shortcut: Tensor | None = None, *, relu: bool) -> Tensor:
    """Return x (b, c, ...) normalised by its statistics, plus a shortcut, through a ReLU if asked.

    The layer's running statistics follow those of x.
    """
    result: Tensor = _Normalise.apply(x, shortcut, relu, *layer)  # type: ignore[no-untyped-call]
    return result


class _Normalise(torch.autograd.Function):
    """The factor of a constant channel is 0 in the gradient; see `norms.py`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shortcut: Tensor | None, relu: bool, *given: Any) -> Tensor:
        layer = Layer(*given)
        y, mean, inverse = _by_rows(x, layer) if _narrow(x) else _by_torch(x, layer)
        # a GPU would have to be waited for, and torch.compile cannot branch on data
        always = x.device.type != "cpu" or torch.compiler.is_compiling()
        plain = not always and _varies(mean, inverse, layer, x.dtype)
        if not plain:
            inverse = _without_constants(x, y, mean, inverse, layer, always=always)
        if shortcut is not None:
            y.add_(shortcut)
        if relu:
            _relu_(y, without_nan=plain)
        ctx.save_for_backward(x, layer.weight, mean, inverse, y if relu else None)
        ctx.eps = layer.eps
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, mean, inverse, rectified = ctx.saved_tensors
        if rectified is not None:
            gradient = _relu_gradient(gradient, rectified)
        wanted = [ctx.needs_input_grad[0], *ctx.needs_input_grad[3:5]]
        gradients = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, inverse, True, ctx.eps, wanted
        )
        of_shortcut = gradient if ctx.needs_input_grad[1] else None
        return gradients[0], of_shortcut, None, *gradients[1:], None, None, None, None


def _by_torch(x: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """Return x normalised, its mean, and 1 / sqrt(variance + eps)."""
    weight, bias, mean, variance, momentum, eps = layer
    return torch.native_batch_norm(x, weight, bias, mean, variance, True, momentum, eps)


def _narrow(x: Tensor) -> bool:
    """Return whether several pixels are to be taken as one."""
    if x.device.type != "cpu" or x.dtype != torch.bfloat16 or x.ndim != 4:
        return False
    channels, count = x.shape[1], x.numel()
    return (
        channels % _LANES != 0
        and channels < _WIDE
        and count >= _LARGE
        and count // channels % _together(channels) == 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
    )


def _together(channels: int) -> int:
    """Return of how many pixels the channels fill registers."""
    return _LANES // math.gcd(channels, _LANES)


def _by_rows(x: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """As `_by_torch`, with rows of several pixels.

    The variance of all is the mean of the variances and the variance of the means.
    """
    channels = x.shape[1]
    together = _together(channels)
    pixels = x.permute(0, 2, 3, 1)
    rows = pixels.reshape(-1, together * channels)
    begin = torch.zeros(rows.shape[1])  # statistics in fp32, where running ones are
    means, variances = torch.batch_norm_update_stats(rows, begin, begin.clone(), 0.0)
    means, variances = means.view(together, channels), variances.view(together, channels)
    mean = means.mean(0)
    variance = variances.mean(0).add_(means.var(0, correction=0))
    _follow(layer, mean, variance, x.numel() // channels)
    factor, shift = (None if t is None else t.repeat(together) for t in layer[:2])
    statistics = mean.repeat(together), variance.repeat(together)
    y = torch.native_batch_norm(rows, factor, shift, *statistics, False, 0.0, layer.eps)[0]
    y = y.view(pixels.shape).permute(0, 3, 1, 2)
    return y.data, mean, variance.add_(layer.eps).rsqrt_()  # y is not a view: it may change


def _follow(layer: Layer, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics towards those of `count` numbers a channel."""
    if layer.running_mean is not None and layer.running_var is not None:
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance * (count / (count - 1)), layer.momentum)


def _varies(mean: Tensor, inverse: Tensor, layer: Layer, dtype: torch.dtype) -> bool:
    """Return whether every channel clearly varies and is a number; few operations decide it."""
    bound = mean.square().mul_(_distance(dtype) ** 2).add_(layer.eps * (1 + _RESOLUTION))
    if not float(bound.mul_(inverse).mul_(inverse).max()) < _CLEARLY:  # a NaN is no less
        return False
    weight, bias = layer.weight, layer.bias
    return weight is None or bias is None or math.isfinite(float(weight.dot(bias)))


def _without_constants(
    x: Tensor, y: Tensor, mean: Tensor, inverse: Tensor, layer: Layer, *, always: bool
) -> Tensor:
    """Return `inverse` with 0 for constant channels, which then hold their bias.

    always: without asking whether there are any.
    """
    flat = constant(mean, inverse, layer.eps, x.dtype)
    if not (always or flat.any()):
        return inverse
    if layer.running_var is not None:
        layer.running_var.add_(mean.square().clamp_(min=1).mul_(flat), alpha=layer.momentum)
    if not always:  # where the mean of a sum is not exactly that of equal numbers
        y.movedim(1, -1)[..., flat] = 0.0 if layer.bias is None else layer.bias[flat].to(y.dtype)
    return inverse.masked_fill(flat, 0)


def _relu_(y: Tensor, *, without_nan: bool) -> None:
    """Rectify in place."""
    if without_nan and y.dtype == torch.bfloat16:
        integers = y.view(torch.int16)
        torch.clamp_min(integers, 0, out=integers)
    else:
        F.relu_(y)


def _relu_gradient(gradient: Tensor, rectified: Tensor) -> Tensor:
    """Return the gradient where the result is positive, else 0."""
    if gradient.dtype == rectified.dtype == torch.bfloat16 and gradient.device.type == "cpu":
        integers = gradient.view(torch.int16), rectified.view(torch.int16)
        return torch.ops.aten.threshold_backward(*integers, 0).view(torch.bfloat16)  # type: ignore[no-any-return]
    return torch.ops.aten.threshold_backward(gradient, rectified, 0)  # type: ignore[no-any-return]
