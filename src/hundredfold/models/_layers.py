"""Layers common to all families: input scaling, convolutions, and initialisation."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.compute.norms import BatchNorm2d
from hundredfold.errors import UsageError
from hundredfold.size import Size, SizeLike

Stem = Literal["cifar", "imagenet"]


class Scale(nn.Module):
    """Turn uint8 images (b, 3, h, w) into floats, (x - mean) / std per channel.

    `mean` and `std` are buffers in units of 0..255, stored with the weights. The memory layout
    is kept. Floats in 0..255 are accepted too, for gradients with respect to the image.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((3, 1, 1), 127.5))
        self.register_buffer("std", torch.full((3, 1, 1), 64.0))

    def fit(self, images: Tensor) -> None:
        """Set mean and standard deviation from training images, uint8 (n, 3, h, w), n >= 1.

        Sums over counts of the 256 values are exact. The deviation is at least 1, so that a channel
        constant but for a few pixels does not become large.
        """
        channels = [images[:, channel].flatten() for channel in range(3)]
        counts = torch.stack([torch.bincount(c, minlength=256) for c in channels]).double()
        fractions = counts / counts.sum(1, keepdim=True)
        values = torch.arange(256.0, dtype=torch.float64, device=images.device)
        mean = fractions @ values
        std = (fractions @ values**2 - mean**2).clamp(min=0).sqrt()
        self.mean.copy_(mean.view(3, 1, 1))
        self.std.copy_(std.clamp(min=1).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> float32 of that shape; autocast rounds in the first convolution."""
        return (images - self.mean).div_(self.std)


class NormSiLU(BatchNorm2d):
    """BatchNorm2d, then SiLU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(super().forward(self.pool(x)))

    def pool(self, x: Tensor) -> Tensor:
        """Return the maps that are normalised."""
        return x


class PoolNormSiLU(NormSiLU):
    """2x2 max pooling, then BatchNorm2d, then SiLU."""

    def pool(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> Conv2d:
    """Return a convolution without bias; its output has the input's size over the stride."""
    return Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def pad_shortcut(images: Tensor, channels: int, stride: int) -> Tensor:
    """Subsample and append zero channels: shortcut A of He et al. 2016.

    images: (b, c, h, w) -> (b, channels, ceil(h / stride), ceil(w / stride)).
    """
    kept = images[:, :, ::stride, ::stride]
    return F.pad(kept, (0, 0, 0, 0, 0, channels - images.shape[1]))


def stem_for(stem: Literal["auto", "cifar", "imagenet"], size: SizeLike) -> Stem:
    """Resolve "auto": "cifar" (a 3x3 convolution) below 96 pixels a side, else "imagenet"."""
    if stem != "auto":
        return stem
    return "imagenet" if Size.of(size).least >= 96 else "cifar"


def need_size(model: str, size: SizeLike, least: int) -> None:
    """Raise UsageError if a side is below `least`, which the model's poolings need (pixels)."""
    if Size.of(size).least < least:
        raise UsageError(
            f"{model} needs images of at least {least} pixels, not {Size.of(size)}",
            remedy="resnet and wrn take any size",
        )


def initialise(model: nn.Module, *, linear_std: float | None = None) -> nn.Module:
    """Initialise in place: convolutions as He et al. 2015 (fan-out), biases 0. Return the model.

    linear_std: standard deviation of the dense layers' weights; None keeps PyTorch's default,
    uniform in +-1/sqrt(inputs). Norms keep PyTorch's weight 1 and bias 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear) and linear_std is not None:
            nn.init.normal_(module.weight, std=linear_std)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return model
