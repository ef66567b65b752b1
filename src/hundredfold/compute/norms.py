"""Normalisation that passes no gradient through what is constant.

Normalisation multiplies a channel by 1 / sqrt(variance + eps). Where a channel is constant over
the batch (grey or black images, line drawings, one colour alone) this is 316 at eps = 1e-5, in
every such layer in turn. The gradient of what comes before is a sum that is zero but for rounding,
times 316 to the number of layers: biases of 1e10 after one step, and then no numbers.

So the gradient is zero for a channel whose deviation is within the rounding of its mean. All
others keep every bit. In inference the rounding of training would be multiplied too, so the running
variance of such a channel approaches 1 or its squared mean, whichever is larger.
"""

from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from hundredfold.compute.batch_norm import Layer, constant, normalise

SHARED = "shared"  # attribute of a layer: what takes the place of `batch_norm`, see `synchronised`
_AUTOCAST = ("cuda", "mps")  # devices where autocast computes normalisations in float32


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
    return normalise(x, _given(norm), relu=False)


def rectified(norm: nn.Module, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
    """Return relu(norm(x)), or relu(norm(x) + shortcut), in fewer passes where that is possible.

    norm: a layer of this module, or whatever took its place (nn.Identity, where it was folded).
    """
    if _fuses(norm):
        return normalise(x, _given(norm), shortcut, relu=True)
    y: Tensor = norm(x)
    return F.relu(y if shortcut is None else y.add_(shortcut), inplace=True)


def _fuses(norm: nn.Module) -> TypeGuard[BatchNorm2d]:
    """Return whether a layer trains, and nothing else is to see its result."""
    watched = norm._forward_hooks or norm._forward_pre_hooks or norm._backward_hooks
    alone = SHARED not in norm.__dict__
    fused = type(norm) is BatchNorm2d and norm.training and alone and not watched
    return fused and not torch.compiler.is_compiling()


def _given(norm: _BatchNorm) -> Layer:
    statistics = norm.running_mean, norm.running_var
    return Layer(norm.weight, norm.bias, *statistics, momentum_of(norm), norm.eps)


def momentum_of(norm: _BatchNorm) -> float:
    """Count the batch; return the weight of its statistics. Without a momentum it is 1 / count."""
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if norm.momentum is None:
            return 1.0 / float(norm.num_batches_tracked)
    return norm.momentum or 0.0


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
