"""Random numbers that depend on the given generator alone."""

import numpy as np
import torch
from torch import Tensor


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return `count` float32 numbers in [low, high) on the generator's device."""
    drawn = torch.rand(count, generator=generator, device=generator.device)
    return low + (high - low) * drawn


def integers(count: int, high: int, generator: torch.Generator) -> Tensor:
    """Return `count` int64 numbers in [0, high) on the generator's device."""
    return torch.randint(high, (count,), generator=generator, device=generator.device)


def beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Return `count` float32 numbers of Beta(alpha, alpha) on the CPU.

    NumPy draws them, seeded by the generator: torch's own sampler accepts no generator.
    """
    seed = int(integers(1, 2**62, generator))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, count)
    return torch.from_numpy(drawn).to(torch.float32)
