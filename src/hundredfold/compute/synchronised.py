"""BatchNorm over the images of a micro-batch that several processes share.

Each process sends count, mean and squared deviations of its images. They are combined in the order
of the processes (Chan, Golub & LeVeque 1979), so all have the same statistics to the bit. The
gradient of the images needs two sums over all of them, which are added up in the backward pass.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from hundredfold.compute import norms
from hundredfold.compute.batch_norm import constant
from hundredfold.compute.device import sum_type
from hundredfold.compute.process_group import ProcessGroup
from hundredfold.errors import UsageError

_KINDS = (norms.BatchNorm1d, norms.BatchNorm2d, norms.BatchNorm3d)


def need_known(model: nn.Module) -> None:
    """Raise UsageError for a BatchNorm whose statistics cannot be synchronised."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.training and not isinstance(module, _KINDS):
            raise UsageError(
                f"the statistics of {type(module).__name__} cannot be synchronised",
                found="it is no BatchNorm of torch's",
                remedy="a micro_batch of which every device has whole ones, or one device",
            )


@contextmanager
def synchronised(model: nn.Module, group: ProcessGroup) -> Iterator[None]:
    """Let every BatchNorm in training use the statistics of all processes in this context."""
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    for layer in layers:
        setattr(layer, norms.SHARED, partial(batch_norm, group))
    try:
        yield
    finally:
        for layer in layers:
            delattr(layer, norms.SHARED)


def batch_norm(group: ProcessGroup, norm: _BatchNorm, x: Tensor) -> Tensor:
    """Return x normalised by the statistics of all processes, which a layer's buffers follow."""
    momentum = norms.momentum_of(norm)
    weight, bias = norm.weight, norm.bias
    if weight is None:
        weight = torch.ones(x.shape[1], device=x.device, dtype=_at_least_fp32(x))
        bias = torch.zeros_like(weight)
    buffers = norm.running_mean, norm.running_var
    result: Tensor = _Synchronised.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, *buffers, momentum, norm.eps, group
    )
    return result


def _statistics(x: Tensor, group: ProcessGroup) -> tuple[Tensor, Tensor, int]:
    """Return means and biased variances of channels over all processes, and the count.

    They are float64 where x is, else float32.
    """
    kind, result = sum_type(x.device), _at_least_fp32(x)
    mean, variance = torch.batch_norm_update_stats(x.to(result), None, None, 0.0)
    own = x.numel() // x.shape[1]
    count = mean.new_full((1,), own, dtype=kind)
    mean, variance = mean.to(kind), variance.to(kind)
    total, middle, squares = None, mean, variance
    for part in group.gather(torch.cat((count, mean, variance * own))):
        n, means, deviations = part[0], *part[1:].chunk(2)
        if total is None:
            total, middle, squares = n, means, deviations
            continue
        difference, both = means - middle, total + n
        middle = middle + difference * (n / both)
        squares = squares + deviations + difference.square() * (total * n / both)
        total = both
    assert total is not None
    return middle.to(result), (squares / total).to(result), int(total)


def _at_least_fp32(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _along(channels: Tensor, x: Tensor) -> Tensor:
    """Return values (channels,) in a shape that multiplies x (batch, channels, ...)."""
    return channels.view(1, -1, *[1] * (x.ndim - 2))


class _Synchronised(torch.autograd.Function):
    """Batch normalisation as in `norms`, with sums over all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
        group: ProcessGroup,
    ) -> Tensor:
        mean, variance, count = _statistics(x, group)
        y, _, _ = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)
        inverse = (variance + eps).rsqrt()
        flat = constant(mean, inverse, eps, x.dtype)
        y = torch.where(_along(flat, y), _along(bias.to(y.dtype), y), y)
        if running_mean is not None and running_var is not None:
            unbiased = variance * (count / max(count - 1, 1))
            unbiased = unbiased + mean.square().clamp(min=1) * flat
            running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
            running_var.mul_(1 - momentum).add_(unbiased, alpha=momentum)
        ctx.save_for_backward(x, weight, mean, variance, flat)
        ctx.eps, ctx.group, ctx.count = eps, group, count
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, mean, variance, flat = ctx.saved_tensors
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        of_weight = of_weight.masked_fill(flat, 0)
        inverse = (variance + ctx.eps).rsqrt()
        sums = ctx.group.sum_(torch.cat((of_weight, of_bias)).to(sum_type(x.device)))
        all_weight, all_bias = (sums / ctx.count).to(mean.dtype).chunk(2)
        # of x: weight * inverse * (gradient - mean(gradient) - normalised * mean(g * normalised))
        slope = -weight * inverse.square() * all_weight
        offset = -weight * inverse * all_bias - slope * mean
        of_x = torch.addcmul(of_x + _along(offset, x), _along(slope, x), x)
        of_x = of_x.masked_fill(_along(flat, x), 0).to(x.dtype)
        return of_x, of_weight, of_bias, None, None, None, None, None
