"""A DenseNet for inference.

training                 inference          why it is equal
norm, ReLU, conv 1x1     clamp, conv 1x1    relu(a x + b) = a clamp(x) + b for each channel;
                                            the convolution absorbs a and b
conv 1x1, norm           conv 1x1           the convolution absorbs the norm
concatenation            in place           each layer writes into the block's memory
conv 1x1, mean 2x2       mean, conv 1x1     they commute; a quarter of the work
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.models._grouped import Pooled
from hundredfold.models.densenet import DenseNet


class Clamped(nn.Module):
    """conv1x1(relu(norm(x))) as a clamp and a convolution; it absorbs a norm that follows.

    With slope a and shift b, relu(a x + b) changes at x = -b / a, the bound of the clamp.
    """

    low: Tensor
    high: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(
        self, norm: nn.BatchNorm2d, conv: nn.Conv2d, after: nn.BatchNorm2d | None = None
    ) -> None:
        super().__init__()
        slope, shift = affine(norm)
        bound = torch.where(slope != 0, -shift / slope, 0.0)
        infinite = torch.full_like(bound, float("inf"))
        weight = conv.weight.double().flatten(1)
        bias = weight @ torch.where(slope == 0, shift.clamp(min=0), shift)
        weight = weight * slope
        if after is not None:
            factor, offset = affine(after)
            weight, bias = weight * factor[:, None], bias * factor + offset
        kernel = weight.float()[:, :, None, None].contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", kernel)
        self.register_buffer("bias", bias.float())
        self.register_buffer("low", _plane(torch.where(slope > 0, bound, -infinite)))
        self.register_buffer("high", _plane(torch.where(slope < 0, bound, infinite)))

    def forward(self, x: Tensor, *, halve: bool = False) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h, w); halve: (b, outputs, h // 2, w // 2)."""
        x = torch.clamp(x, self.low.to(x.dtype), self.high.to(x.dtype))
        return F.conv2d(F.avg_pool2d(x, 2) if halve else x, self.weight, self.bias)


class FoldedDenseNet(nn.Module):
    """A DenseNet without its head (`classifier` is an identity), for inference."""

    def __init__(self, network: DenseNet) -> None:
        super().__init__()
        self.scale = network.scale
        self.stem = nn.Sequential()
        self.reduced, self.grown, self.halved = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.last: nn.Module = nn.Identity()
        for name, module in network.features.named_children():
            if name.startswith("denseblock"):
                layers = list(module.children())
                self.reduced.append(nn.ModuleList(map(_reduced, layers)))
                self.grown.append(nn.ModuleList([layer.conv2 for layer in layers]))  # type: ignore[misc]
            elif name.startswith("transition") and hasattr(module, "conv"):
                self.halved.append(Clamped(module.norm, module.conv))  # type: ignore[arg-type]
            elif self.reduced:
                self.last = module
            else:
                self.stem.add_module(name, module)
        self.classifier = network.classifier
        self.from_groups, self.with_maxima = network.from_groups, network.with_maxima

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> features (b, channels)."""
        x, pooled = self.stem(self.scale(images)), Pooled(self.with_maxima)
        for number, (reduced, grown) in enumerate(zip(self.reduced, self.grown, strict=True)):
            x = _block(x, reduced, grown)  # type: ignore[arg-type]
            if number < len(self.halved):
                x = self.halved[number](x, halve=True)
            if number + 1 in self.from_groups[:-1]:
                pooled.add(x)
        return pooled.with_last(self.last(x), self._finish)

    def _finish(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(x).mean((2, 3)))  # type: ignore[no-any-return]


def _block(x: Tensor, reduced: nn.ModuleList, grown: nn.ModuleList) -> Tensor:
    """(b, channels, h, w) -> (b, channels + sum of the layers' growth, h, w)."""
    if torch.compiler.is_exporting():  # writing in place would become a scatter in the graph
        for reduce, grow in zip(reduced, grown, strict=True):
            x = torch.cat((x, grow(F.relu(reduce(x)))), 1)
        return x
    count, channels, height, width = x.shape
    widths = [int(layer.out_channels) for layer in grown]  # type: ignore[arg-type]
    maps = x.new_empty((count, height, width, channels + sum(widths))).permute(0, 3, 1, 2)
    maps[:, :channels] = x
    for reduce, grow, width in zip(reduced, grown, widths, strict=True):
        inner = F.relu(reduce(maps[:, :channels]), inplace=True)
        maps[:, channels : channels + width] = grow(inner)
        channels += width
    return maps


def _reduced(layer: nn.Module) -> Clamped:
    return Clamped(layer.norm1, layer.conv1, layer.norm2)  # type: ignore[arg-type]


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return a and b, (channels,) float64, with norm(x) = a x + b in inference mode."""
    assert norm.running_var is not None and norm.running_mean is not None
    slope = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return slope, norm.bias.double() - norm.running_mean.double() * slope


def _plane(values: Tensor) -> Tensor:
    return values.float().view(1, -1, 1, 1)
