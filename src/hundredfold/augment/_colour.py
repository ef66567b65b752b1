"""Changes of colour of whole batches, each as Pillow's ImageEnhance or ImageOps defines it.

Images are uint8 (batch, 3, height, width). Factors are float32 (batch,) on the same device, in
[0, 2]; above 1 they extrapolate.
"""

import torch
from torch import Tensor
from torch.nn import functional


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black: factor 0 is black, 1 the image."""
    return _blend(torch.zeros_like(images, dtype=torch.float32), images, factor)


def colour(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image: factor 0 is grey, 1 the image."""
    return _blend(_grey(images), images, factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean grey: factor 0 is uniform grey, 1 the image."""
    return _blend(_grey(images).mean((2, 3), keepdim=True).round(), images, factor)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with a smoothed image: factor 0 is smooth, 1 the image; edge pixels stay."""
    kernel = torch.ones(3, 1, 3, 3, device=images.device)
    kernel[:, :, 1, 1] = 5
    smooth = images.to(torch.float32)
    smooth[:, :, 1:-1, 1:-1] = functional.conv2d(smooth, kernel / 13, groups=3).round()
    return _blend(smooth, images, factor)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits of each value; bits: (batch,) in [0, 8]."""
    mask = 256 - torch.exp2(8 - bits)
    return images & mask.to(torch.uint8)[:, None, None, None]


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert values that reach the threshold; threshold: (batch,) in [0, 256]."""
    return torch.where(images < threshold[:, None, None, None], images, 255 - images)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel to [0, 255]; a channel of one value stays."""
    pixels = images.to(torch.float32)
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    stretched = (pixels - low) * (255 / (high - low).clamp_(min=1))
    return torch.where(high > low, stretched, pixels).round().to(torch.uint8)


def equalize(images: Tensor) -> Tensor:
    """Spread each channel's values evenly over [0, 255]; a channel of one value stays."""
    values = images.reshape(images.shape[0] * 3, -1).to(torch.int64)
    first = torch.arange(len(values), device=images.device)[:, None] * 256
    counts = torch.bincount((values + first).flatten(), minlength=256 * len(values)).view(-1, 256)
    highest = values.amax(1, keepdim=True)
    step = (values.shape[1] - counts.gather(1, highest)) // 255
    below = counts.cumsum(1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(max=255)
    spread = torch.where(step > 0, table.gather(1, values), values)
    return spread.view(images.shape).to(torch.uint8)


def _blend(degenerate: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    blended = torch.lerp(degenerate, images.to(torch.float32), factor[:, None, None, None])
    return blended.clamp_(0, 255).round_().to(torch.uint8)


def _grey(images: Tensor) -> Tensor:
    """Return ITU-R 601 luma, rounded, as float32 (batch, 1, height, width)."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device)
    return (images.to(torch.float32) * weights[:, None, None]).sum(1, keepdim=True).round()
