"""Normalisation that passes no gradient through what is constant.

Normalisation multiplies a channel by 1 / sqrt(variance + eps). Where a channel is constant over
the batch (grey or black images, line drawings, one colour alone) this is 316 at eps = 1e-5, in
every such layer in turn. The gradient of what comes before is a sum that is zero but for rounding,
times 316 to the number of layers: biases of 1e10 after one step, and then no numbers.

So the gradient is zero for a channel whose deviation is within the rounding of its mean. All
others keep every bit. In inference the rounding of training would be multiplied too, so the running
variance of such a channel approaches 1 or its squared mean, whichever is larger.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

SHARED = "shared"  # attribute of a layer: what takes the place of `batch_norm`, see `synchronised`
_SUM = 2**-16  # rounding of a mean of up to a million numbers in fp32, relative to the mean
_RESOLUTION = 2**-20  # of eps: 1 / sqrt(variance + eps) does not tell smaller variances from 0

_AUTOCAST = ("cuda", "mps")  # devices where autocast computes normalisations in float32


def constant(mean: Tensor, inverse: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """Return where the deviation is within the distance of neighbouring numbers at the mean.

    dtype: of the values; that distance is a 128th of the mean in bf16. Trainings on CIFAR-100 stay
    35 times above it.

    inverse: 1 / sqrt(variance + eps), of mean's shape.
    """
    variance = inverse.square().reciprocal() - eps
    distance = mean * max(torch.finfo(dtype).eps, _SUM)
    return variance <= distance.square() + _RESOLUTION * eps


class BatchNorm1d(nn.BatchNorm1d):
    """nn.BatchNorm1d without a gradient through constant channels."""

    def forward(self, x: Tensor) -> Tensor:
        return batch_norm(self, x) if self.training else super().forward(x)


class BatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d without a gradient through constant channels."""

    def forward(self, x: Tensor) -> Tensor:
        return batch_norm(self, x) if self.training else super().forward(x)


class BatchNorm3d(nn.BatchNorm3d):
    """nn.BatchNorm3d without a gradient through constant channels."""

    def forward(self, x: Tensor) -> Tensor:
        return batch_norm(self, x) if self.training else super().forward(x)


class LayerNorm(nn.LayerNorm):
    """nn.LayerNorm without a gradient through positions that are constant."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(x)
        if x.device.type in _AUTOCAST and torch.is_autocast_enabled(x.device.type):
            x = x.float()  # as autocast does for torch's own function there
        result: Tensor = _LayerNorm.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.normalized_shape, self.eps
        )
        return result


_PROTECTED = {
    nn.BatchNorm1d: BatchNorm1d,
    nn.BatchNorm2d: BatchNorm2d,
    nn.BatchNorm3d: BatchNorm3d,
    nn.LayerNorm: LayerNorm,
}


def protect(network: nn.Module) -> nn.Module:
    """Turn torch's BatchNorm and LayerNorm within a network into those of this module, in place.

    Parameters, buffers, hooks and names stay. Subclasses stay as they are. Return the network.
    """
    for module in network.modules():
        module.__class__ = _PROTECTED.get(type(module), type(module))
    return network


def batch_norm(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Return x normalised by the statistics of the batch, which a layer's buffers follow."""
    norm._check_input_dim(x)  # type: ignore[no-untyped-call]
    if shared := norm.__dict__.get(SHARED):
        return shared(norm, x)  # type: ignore[no-any-return]
    momentum = momentum_of(norm)
    result: Tensor = _BatchNormTraining.apply(  # type: ignore[no-untyped-call]
        x, norm.weight, norm.bias, norm.running_mean, norm.running_var, momentum, norm.eps
    )
    return result


def momentum_of(norm: _BatchNorm) -> float:
    """Count the batch; return the weight of its statistics. Without a momentum it is 1 / count."""
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if norm.momentum is None:
            return 1.0 / float(norm.num_batches_tracked)
    return norm.momentum or 0.0


def along(channels: Tensor, x: Tensor) -> Tensor:
    """Return values (channels,) in a shape that multiplies x (batch, channels, ...)."""
    return channels.view(1, -1, *[1] * (x.ndim - 2))


class _BatchNormTraining(torch.autograd.Function):
    """Batch normalisation by torch's kernels; a constant channel's factor is 0 in the gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
    ) -> Tensor:
        y, mean, inverse = torch.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps
        )
        flat = constant(mean, inverse, eps, x.dtype)
        # a GPU would have to be waited for, and torch.compile cannot branch on data
        always = x.device.type != "cpu" or torch.compiler.is_compiling()
        if always or flat.any():
            inverse = inverse.masked_fill(flat, 0)
            if running_var is not None:
                running_var.add_(mean.square().clamp_(min=1).mul_(flat), alpha=momentum)
            if not always:  # where the mean of a sum is not exactly that of equal numbers
                y.movedim(1, -1)[..., flat] = 0.0 if bias is None else bias[flat].to(y.dtype)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.eps = eps
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, mean, inverse = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[:3])
        gradients = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, inverse, True, ctx.eps, wanted
        )
        return *gradients, None, None, None, None


class _LayerNorm(torch.autograd.Function):
    """Layer normalisation by torch's kernels; a constant position's factor is 0 in the gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        shape: tuple[int, ...],
        eps: float,
    ) -> Tensor:
        y, mean, inverse = torch.native_layer_norm(x, shape, weight, bias, eps)
        inverse = inverse.masked_fill(constant(mean, inverse, eps, x.dtype), 0)
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.shape = shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, bias, mean, inverse = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[:3])
        gradients = torch.ops.aten.native_layer_norm_backward(
            gradient, x, ctx.shape, mean, inverse, weight, bias, wanted
        )
        return *gradients, None, None
