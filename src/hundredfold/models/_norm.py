"""BatchNorm whose batch may be in pieces, each on a thread of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Numbers = NDArray[np.float64]
AllReduce = Callable[[Numbers], Numbers]


class BatchNorm(_BatchNorm):
    """PyTorch's BatchNorm, which on a CPU sees as one batch also what is in pieces.

    all_reduce: adds numbers up over the pieces of a batch, each of which calls it equally
    often; None: what is given is the whole batch.
    """

    all_reduce: AllReduce | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Floats (b, channels) or (b, channels, h, w) -> the same."""
        if self.all_reduce is None or not self.training:
            return super().forward(x)
        y: Tensor = _Normalise.apply(x, self.weight, self.bias, self)  # type: ignore[no-untyped-call]
        return y

    def follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        for held, new in ((self.running_mean, mean), (self.running_var, variance)):
            assert held is not None
            assert self.momentum is not None
            held.lerp_(new, self.momentum)


class BatchNorm1d(BatchNorm, nn.BatchNorm1d):
    """nn.BatchNorm1d, for pieces of a batch as well."""


class BatchNorm2d(BatchNorm, nn.BatchNorm2d):
    """nn.BatchNorm2d, for pieces of a batch as well."""


class _Normalise(torch.autograd.Function):
    """Normalise a piece by the mean and the variance of its batch.

    With y = weight xhat + bias and n values of a channel in the batch, the gradient of x is
    weight / deviation (g - sum(g) / n - xhat sum(g xhat) / n) (Ioffe & Szegedy 2015, section 3):
    g and x times a number for each channel, and a third one added.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: BatchNorm) -> Tensor:
        assert norm.all_reduce is not None
        spare = torch.zeros_like(weight)  # running statistics that make the sums those of fp32
        own_mean, own_variance = _numbers(*torch.batch_norm_update_stats(x, spare, spare, 0.0))
        own = np.full_like(own_mean, x.numel() // len(own_mean))
        sums = np.stack((own, own * own_mean, own * (own_variance + own_mean**2)))
        count, total, squares = norm.all_reduce(sums)
        mean = total / count
        variance = (squares / count - mean**2).clip(0)
        *held, unbiased = _tensors(mean, variance, variance * count / (count - 1))
        norm.follow(held[0], unbiased)
        ctx.save_for_backward(x, weight, *held)
        ctx.count, ctx.mean, ctx.variance = count, mean, variance + norm.eps
        ctx.eps, ctx.all_reduce = norm.eps, norm.all_reduce
        return F.batch_norm(x, held[0], held[1], weight, bias, eps=norm.eps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, mean, variance = ctx.saved_tensors
        given = gradient, x, weight, mean, variance, None, None, False, ctx.eps
        sums = torch.ops.aten.native_batch_norm_backward(*given, (False, True, True))[1:]
        of_xhat, of_one = ctx.all_reduce(np.stack(_numbers(*sums))) / ctx.count
        [weights] = _numbers(weight)
        slope = _tensors(-weights / ctx.variance * of_xhat)[0].to(x.dtype)
        [rounded] = _numbers(slope.float())
        [offset] = _tensors(-weights / np.sqrt(ctx.variance) * of_one - rounded * ctx.mean)
        of_x = F.batch_norm(gradient, torch.zeros_like(mean), variance, weight, offset, eps=ctx.eps)
        if x.ndim == 4:  # a row of a map at a time: channels may be few
            slope = slope.expand(x.shape[3], -1).contiguous()[None, None].permute(0, 3, 1, 2)
        return of_x.addcmul_(x, slope), *sums, None, None


def _numbers(*tensors: Tensor) -> list[Numbers]:
    return [tensor.detach().numpy().astype(np.float64) for tensor in tensors]


def _tensors(*numbers: Numbers) -> list[Tensor]:
    return [torch.from_numpy(part.astype(np.float32)) for part in numbers]
