"""CutMix (Yun et al. 2019, arXiv:1905.04899)."""

from typing import Annotated

import torch
from torch import Tensor

from hundredfold.augment._boxes import boxes
from hundredfold.augment._chance import beta, integers, uniform
from hundredfold.spec import Fraction, Range


def cutmix(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    alpha: Annotated[float, Range(0, 100)] = 1.0,
    probability: Fraction = 1.0,
) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of another image of the batch into each, and mix labels by area.

    alpha: in [0, 100]. Each image draws a rectangle's fraction of the area from
        1 - Beta(alpha, alpha); 0 pastes nothing. The centre is uniform over the image, and the
        rectangle is cut at the edges.
    probability: of each image to be pasted into, in [0, 1]; the paper's code for CIFAR uses 0.5.
    """
    count, _, rows, columns = images.shape
    pasted = 1 - beta(count, alpha, generator) if alpha else torch.zeros(count)
    chosen = uniform(count, 0, 1, generator).cpu() < probability
    side = (pasted * chosen).sqrt()
    height, width = (side * rows).floor(), (side * columns).floor()
    top = integers(count, rows, generator).cpu() - (height / 2).floor()
    left = integers(count, columns, generator).cpu() - (width / 2).floor()
    other = torch.randperm(count, generator=generator, device=generator.device).to(images.device)
    mask = boxes(left, top, width, height, images)
    kept = 1 - mask.to(torch.float32).mean((2, 3))
    return torch.where(mask, images[other], images), torch.lerp(labels[other], labels, kept)
