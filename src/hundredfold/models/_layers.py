"""What every family shares: scaling as the first layer, convolutions, and their initialisation."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.compute.dropout import Dropout
from hundredfold.errors import UsageError

Stem = Literal["cifar", "imagenet"]


class Scale(nn.Module):
    """Turn uint8 images (b, 3, h, w) into floats, (x - mean) / std per channel.

    `mean` and `std` are buffers in units of 0..255, so they travel with the weights. The
    memory layout stays. Floats in 0..255 are taken as well, for gradients by the image.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((3, 1, 1), 127.5))
        self.register_buffer("std", torch.full((3, 1, 1), 64.0))

    def fit(self, images: Tensor) -> None:
        """Set mean and deviation from training images (n, 3, h, w), uint8; n at least 1.

        Counted per value, so the sums are exact. A constant channel gets the deviation 1.
        """
        channels = [images[:, channel].flatten() for channel in range(3)]
        counts = torch.stack([torch.bincount(c, minlength=256) for c in channels]).double()
        shares = counts / counts.sum(1, keepdim=True)
        values = torch.arange(256.0, dtype=torch.float64, device=images.device)
        mean = shares @ values
        std = (shares @ values**2 - mean**2).clamp(min=0).sqrt()
        self.mean.copy_(mean.view(3, 1, 1))
        self.std.copy_(torch.where(std > 1e-3, std, 1.0).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 images; under autocast the first convolution rounds them."""
        return (images - self.mean).div_(self.std)


class NormSiLU(nn.BatchNorm2d):
    """BatchNorm, then SiLU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(super().forward(x))


class PoolNormSiLU(NormSiLU):
    """The largest of each 2x2, then BatchNorm, then SiLU."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.max_pool2d(x, 2))


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> Conv2d:
    """Return a convolution that keeps the size (but for the stride), without bias."""
    return Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def pad_shortcut(images: Tensor, channels: int, stride: int) -> Tensor:
    """Subsample and fill up with zero channels at the end: shortcut A of He et al. 2016.

    images: (b, c, h, w) -> (b, channels, ceil(h / stride), ceil(w / stride)).
    """
    kept = images[:, :, ::stride, ::stride]
    return F.pad(kept, (0, 0, 0, 0, 0, channels - images.shape[1]))


def stem_for(stem: Literal["auto", "cifar", "imagenet"], size: int) -> Stem:
    """Choose the stem: "auto" is the CIFAR one (a 3x3 convolution) below 96 pixels."""
    if stem != "auto":
        return stem
    return "imagenet" if size >= 96 else "cifar"


def need_size(model: str, size: int, least: int) -> None:
    """Raise UsageError if the images are too small for the model's poolings."""
    if size < least:
        raise UsageError(
            f"{model} needs images of at least {least} pixels, not {size}",
            remedy="resnet and wrn take any size",
        )


def need_depth(model: str, depth: int, depths: Sequence[int]) -> None:
    """Raise UsageError if the family has no network of this depth."""
    if depth not in depths:
        known = ", ".join(str(d) for d in depths)
        nearest = min(depths, key=lambda d: abs(d - depth))
        raise UsageError(
            f"{model} has no depth {depth}",
            found=f"depths are {known}",
            remedy=f"{model}(depth={nearest})",
        )


def drop(share: float) -> Dropout:
    """Return dropout of a share in [0, 1); raises UsageError for any other."""
    if not 0 <= share < 1:
        raise UsageError(
            f"dropout={share} is not a share of at least 0 and below 1", remedy="dropout=0.3"
        )
    return Dropout(share)


def initialise(model: nn.Module, *, linear_std: float | None = None) -> nn.Module:
    """Draw the weights: convolutions as He et al. 2015 (fan-out), biases 0, norms 1 and 0.

    linear_std: deviation of the dense layers' weights; None leaves PyTorch's own
    (uniform in +-1/sqrt(inputs)), with the biases 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear) and linear_std is not None:
            nn.init.normal_(module.weight, std=linear_std)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return model
