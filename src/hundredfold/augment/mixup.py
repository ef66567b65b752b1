"""mixup (Zhang et al. 2018, arXiv:1710.09412)."""

from typing import Annotated

import torch
from torch import Tensor

from hundredfold.augment._chance import beta, uniform
from hundredfold.spec import Fraction, Range


def mixup(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    alpha: Annotated[float, Range(0, 100)] = 0.2,
    probability: Fraction = 1.0,
) -> tuple[Tensor, Tensor]:
    """Blend each image and its label with those of another image of the batch.

    alpha: in [0, 100]. Each image draws its own weight from Beta(alpha, alpha); 0 blends
        nothing. The paper uses 1 for CIFAR and 0.2 for ImageNet.
    probability: of each image to be blended, in [0, 1].
    """
    count = len(images)
    kept = beta(count, alpha, generator) if alpha else torch.ones(count)
    chosen = uniform(count, 0, 1, generator).cpu() < probability
    kept = torch.where(chosen, kept, 1.0).to(images.device)[:, None]
    other = torch.randperm(count, generator=generator, device=generator.device).to(images.device)
    weight = kept[:, :, None, None]
    mixed = torch.lerp(images[other].to(torch.float32), images.to(torch.float32), weight)
    return mixed.round_().to(torch.uint8), torch.lerp(labels[other], labels, kept)
