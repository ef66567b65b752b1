"""A network for trainings of a minute: whitened patches, three residual groups, two poolings.

    layer    output at 32 px   channels            kernels
    whiten   31 x 31           24, frozen          2x2: directions of training patches, +-
    group1   15 x 15           64                  3x3, max pool; then 1x1, 1x1 through 64
    group2    7 x  7           256                 3x3, max pool; then 3x3, 1x1 through 192
    group3    3 x  3           768                 2x2, max pool; then 3x3, 3x3 through 512
    head      1 x  1           classes             max plus mean of each map

A group is convolution, pooling, BatchNorm, SiLU, and then x + pair(x), where the pair is
convolution, BatchNorm, SiLU, twice. Filters are initially the identity on the input channels
(dirac), and random beyond those. It has 8,608,312 parameters at 100 classes and width 1, and 160
million multiply-accumulates at 32 px. A 2x2 pooling drops a last odd row and column; where these
are an eighth of a map or more, the convolution before it does not compute them.

The design follows Page 2018 ("How to train your ResNet") and Jordan 2024 (arXiv:2404.00498,
section 3). Widths, kernels and head are those of the fastest entries of
AIDDA-Institute/CIFAR-100-speedrun (2026).
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.models._layers import NormSiLU, PoolNormSiLU, Scale, need_size
from hundredfold.size import Size
from hundredfold.spec import Range

# channels, channels within the pair, first kernel, the pair's kernels
_GROUPS = ((64, 64, 3, (1, 1)), (256, 192, 3, (3, 1)), (768, 512, 2, (3, 3)))
_FITTED_ON = 2_000  # images at most: millions of patches, for 12 directions
_TRIED_ON = 64  # images, about, that show whether an identity's maps vary
_WEAK = 0.05  # deviation of such maps; it is 0.13 or more on CIFAR-100
_ROUNDING = 1e-6  # variance of a patch's projection by rounding scaled images to bf16
_LOGIT_SCALE = 1.25 / 9  # keeps the sum of two poolings from saturating the loss early on


class Whiten(nn.Conv2d):
    """Project 2x2 patches on their principal components, scaled to unit variance, with both signs.

    The weight is fitted, not trained (Page 2018; Jordan 2024, section 3.1); the bias is.
    """

    def __init__(self) -> None:
        super().__init__(3, 24, 2)
        self.weight.requires_grad_(False)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    @torch.no_grad()
    def fit(self, images: Tensor, *, eps: float = 5e-4) -> None:
        """Set the weight from scaled images (n, 3, h, w), n >= 1.

        eps: added to each component's variance, which bounds the scale of weak ones. Directions
        without variance (8 of 12 in grey images) become random mixtures of those with variance,
        or zero where there is none: a constant channel would be rounding noise to what follows.
        """
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5)
        patches = patches.reshape(-1, 12).double()
        patches = patches - patches.mean(0)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        rows = (directions / (variances.clamp(min=0) + eps).sqrt()).T.flip(0)
        rows = _without_constants(rows, variances.flip(0))
        signs = torch.where(
            rows.sum(1, keepdim=True) < 0, -1.0, 1.0
        )  # eigh does not determine them
        filters = (rows * signs).view(12, 3, 2, 2)
        self.weight.copy_(torch.cat([filters, -filters]))


def _without_constants(rows: Tensor, variances: Tensor) -> Tensor:
    """Replace rows (12, 12) of directions whose variance is within the rounding of bf16."""
    alive = variances > _ROUNDING
    if alive.all():
        return rows
    chance = torch.Generator().manual_seed(0)
    mixing = torch.randn(len(rows), len(rows), dtype=rows.dtype, generator=chance)
    mixing = mixing.to(rows.device) * alive
    mixing = mixing / mixing.norm(dim=1, keepdim=True).clamp(min=1e-7)
    return torch.where(alive[:, None], rows, mixing @ rows)


class Group(nn.Module):
    """Convolution, pooling, norm and SiLU; then a residual pair of convolutions.

    through: channels between the pair. entry, pair: kernel sizes.
    """

    def __init__(
        self, inputs: int, outputs: int, through: int, entry: int, pair: tuple[int, int]
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, outputs, entry, padding="same", bias=False, even=True)
        self.norm1 = PoolNormSiLU(outputs)
        self.conv2 = Conv2d(outputs, through, pair[0], padding="same", bias=False)
        self.norm2 = NormSiLU(through)
        self.conv3 = Conv2d(through, outputs, pair[1], padding="same", bias=False)
        self.norm3 = NormSiLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h // 2, w // 2)."""
        x = self.norm1(self.conv1(x))
        return x + self.norm3(self.conv3(self.norm2(self.conv2(x))))  # type: ignore[no-any-return]

    @torch.no_grad()
    def fit(self, x: Tensor) -> Tensor:
        """Draw weak filters for maps (b, inputs, h, w) anew; return what `forward` does."""
        x = _redraw(self.conv1, self.norm1, x)
        return x + _redraw(self.conv3, self.norm3, _redraw(self.conv2, self.norm2, x))


def _redraw(conv: Conv2d, norm: NormSiLU, x: Tensor) -> Tensor:
    """Draw the identities among a layer's filters at random where their maps hardly vary.

    In line drawings SiLU maps the lines of half the channels to nearly 0. The next identity and
    normalisation multiply what is left, and the gradient, by 50 or more, in each layer anew.
    Return the layer's maps.
    """
    pooled = norm.pool(conv(x))
    weak = pooled.std((0, 2, 3)) < _WEAK
    if weak.any():
        chance = torch.Generator().manual_seed(0)
        drawn = torch.randn(conv.weight.shape, generator=chance).to(conv.weight)
        drawn *= conv.weight[0].numel() ** -0.5
        conv.weight[weak] = drawn[weak]
        pooled = norm.pool(conv(x))
    mean, std = pooled.mean((0, 2, 3), keepdim=True), pooled.std((0, 2, 3), keepdim=True)
    return F.silu((pooled - mean) / (std + norm.eps))


class SpeedNet(nn.Module):
    """Whitening, three groups, and a head on the sum of max and mean of each map."""

    def __init__(self, classes: int, width: float, whiten: bool) -> None:
        super().__init__()
        self.scale = Scale()
        self.whiten = Whiten() if whiten else Conv2d(3, 24, 2)
        groups = []
        inputs = 24
        for outputs, through, entry, pair in _GROUPS:
            outputs, through = (max(8, round(width * c / 8) * 8) for c in (outputs, through))
            groups.append(Group(inputs, outputs, through, entry, pair))
            inputs = outputs
        self.group1, self.group2, self.group3 = groups
        self.head = nn.Linear(inputs, classes, bias=False)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set scaling, whitening and weak filters from training images, uint8 (n, 3, h, w)."""
        self.scale.fit(images)
        if isinstance(self.whiten, Whiten):
            self.whiten.fit(self.scale(images[:: 1 + len(images) // _FITTED_ON]))
        x = F.silu(self.whiten(self.scale(images[:: 1 + len(images) // _TRIED_ON])))
        for group in (self.group1, self.group2, self.group3):
            x = group.fit(x)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        x = F.silu(self.whiten(self.scale(images)))
        x = self.group3(self.group2(self.group1(x)))
        x = x.permute(0, 2, 3, 1).flatten(
            1, 2
        )  # a view in channels-last memory; so is its gradient
        return self.head(x.max(1).values + x.mean(1)) * _LOGIT_SCALE  # type: ignore[no-any-return]


def speednet(
    classes: int,
    size: Size,
    *,
    width: Annotated[float, Range(0.125, 8)] = 1.0,
    whiten: bool = True,
    dirac: bool = True,
) -> nn.Module:
    """Build the network for short trainings (AIDDA-Institute/CIFAR-100-speedrun 2026).

    width: factor on the channels of every group, in [0.125, 8]; each is rounded to a multiple
        of 8.
    whiten: fit the first filters on training images; otherwise they are trained like the others.
    dirac: initialise the groups' filters as the identity; otherwise at random.
    """
    need_size("speednet", size, 9)
    model = SpeedNet(classes, width, whiten)
    for module in model.modules() if dirac else ():
        if isinstance(module, nn.Conv2d) and module is not model.whiten:
            nn.init.dirac_(module.weight[: min(module.weight.shape[:2])])
    return model
