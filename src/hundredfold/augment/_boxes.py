"""Masks of rectangles, one rectangle per image of a batch."""

import torch
from torch import Tensor


def boxes(left: Tensor, top: Tensor, width: Tensor, height: Tensor, images: Tensor) -> Tensor:
    """Return a bool mask (batch, 1, height, width) on the images' device, true inside the boxes.

    left, top, width, height: (batch,) in whole pixels; boxes are cut at the image's edges.
    """
    rows = torch.arange(images.shape[2], device=images.device)[None, :, None]
    columns = torch.arange(images.shape[3], device=images.device)[None, None, :]
    left, top, width, height = (
        x.to(images.device)[:, None, None] for x in (left, top, width, height)
    )
    inside = (rows >= top) & (rows < top + height)
    return (inside & (columns >= left) & (columns < left + width))[:, None]
