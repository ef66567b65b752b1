"""mixup (Zhang et al. 2018, arXiv:1710.09412)."""

import torch
from torch import Tensor

from hundredfold.augment._chance import beta, uniform
from hundredfold.augment._check import within


def mixup(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    alpha: float = 0.2,
    share: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Blend each image and its label with those of another image of the batch.

    alpha: an image keeps a part drawn from Beta(alpha, alpha), each its own, in [0, 100];
        0 blends nothing, 1 is the paper's for CIFAR, 0.2 its for ImageNet.
    share: probability of each image to be blended, in [0, 1].
    """
    within("mixup", "alpha", alpha, 0, 100)
    within("mixup", "share", share, 0, 1)
    count = len(images)
    kept = beta(count, alpha, generator) if alpha else torch.ones(count)
    chosen = uniform(count, 0, 1, generator).cpu() < share
    kept = torch.where(chosen, kept, 1.0).to(images.device)[:, None]
    other = torch.randperm(count, generator=generator, device=generator.device).to(images.device)
    part = kept[:, :, None, None]
    mixed = torch.lerp(images[other].to(torch.float32), images.to(torch.float32), part)
    return mixed.round_().to(torch.uint8), torch.lerp(labels[other], labels, kept)
