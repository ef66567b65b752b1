"""Dropout that costs a fifth of PyTorch's time on a CPU."""

import torch
from torch import Tensor, nn

_DRAWS = 2**16  # values of a 16-bit draw


class Dropout(nn.Dropout):
    """Dropout in a fifth of PyTorch's time on a CPU: its mask draws 16 bits for each value.

    The share is met to the nearest of 65,536ths, and the scale follows that. On other devices,
    and where torch.compile traces, it is PyTorch's own. generator: what a CPU draws from; None is
    the one that all threads share.
    """

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Floats of any shape -> the same."""
        limit = min(round(self.p * _DRAWS), _DRAWS - 1)
        if not (self.training and limit) or x.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(x)
        drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        drawn.random_(-(2**63), None, generator=self.generator)
        layout = torch.empty_like(x, device="meta").stride()  # x's own where x has no gaps
        kept = drawn.view(torch.int16).as_strided(x.shape, layout) >= limit - _DRAWS // 2
        return x * kept.to(x.dtype).mul_(_DRAWS / (_DRAWS - limit))
