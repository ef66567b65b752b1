"""DINOv2's small vision transformer, ViT-S/14 (Oquab et al. 2023, arXiv:2304.07193).

The blocks are those of Dosovitskiy et al. 2021 (arXiv:2010.11929); table 16 of the paper has the
sizes. Output at 224 px and at 32 px, which is resized to 28 px, a multiple of the patches' 14:

    layer         output               what it is
    patch_embed   256 x 384, 4 x 384   a 14x14 convolution with stride 14
    cls_token     257 x 384, 5 x 384   a learned token before those of the patches
    pos_embed     257 x 384, 5 x 384   learned for 37 x 37 patches, resized bicubically, added
    blocks.0-11   257 x 384, 5 x 384   attention of 6 heads; dense to 1536, GELU, dense back
    norm          384                  LayerNorm of the first token
    head          classes              --

Each half of a block is LayerNorm, the operation, a learned factor per channel, and the shortcut's
sum. Groups are blocks. Between them tokens are kept as maps (b, 384, tokens, 1). Names of weights
are those of the published file.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold.models._grouped import Grouped, Layer
from hundredfold.models._layers import Scale, need_size
from hundredfold.size import Size
from hundredfold.spec import Range

_CHANNELS, _HEADS, _PATCH, _SIDE = 384, 6, 14, 37
_EPSILON = 1e-6
_OFFSET = 0.1  # patches that the published network adds to the side when it resizes positions


class Patches(nn.Module):
    """Patches of the image as tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, _CHANNELS, _PATCH, _PATCH)

    def forward(self, x: Tensor) -> Tensor:
        """(b, 3, 14 h, 14 w) -> (b, h w, channels)."""
        return self.proj(x).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class Attend(nn.Module):
    """Mean of the values, weighted by how well queries and keys agree."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Three of (b, heads, tokens, channels of a head) -> (b, tokens, channels)."""
        mixed = F.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).flatten(2)

    def macs(self, output: Tensor) -> int:
        """Count both matrix products of an image."""
        tokens, channels = output.shape[1:]
        return 2 * tokens * tokens * channels


class Attention(nn.Module):
    """Self-attention with 6 heads of 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(_CHANNELS, 3 * _CHANNELS)
        self.attend = Attend()
        self.proj = nn.Linear(_CHANNELS, _CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """(b, tokens, channels) -> the same."""
        count, tokens, channels = x.shape
        heads = self.qkv(x).view(count, tokens, 3, _HEADS, channels // _HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (b, heads, tokens, 64)
        return self.proj(self.attend(query, key, value))  # type: ignore[no-any-return]


class Mlp(nn.Module):
    """Dense to four times the channels, GELU, dense back."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(_CHANNELS, 4 * _CHANNELS)
        self.fc2 = nn.Linear(4 * _CHANNELS, _CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """(b, tokens, channels) -> the same."""
        return self.fc2(F.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class LayerScale(nn.Module):
    """A learned factor per channel, initially 1e-5 (Touvron et al. 2021, arXiv:2103.17239)."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((_CHANNELS,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """(b, tokens, channels) -> the same."""
        return x * self.gamma


class Block(nn.Module):
    """Attention between tokens, then dense layers at each, both added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(_CHANNELS, _EPSILON)
        self.attn = Attention()
        self.ls1 = LayerScale()
        self.norm2 = nn.LayerNorm(_CHANNELS, _EPSILON)
        self.mlp = Mlp()
        self.ls2 = LayerScale()

    def forward(self, maps: Tensor) -> Tensor:
        """(b, channels, tokens, 1) -> the same."""
        x = _tokens(maps)
        x = x + self.ls1(self.attn(self.norm1(x)))
        return _maps(x + self.ls2(self.mlp(self.norm2(x))))


class DINOv2(Grouped):
    """Patches with positions, blocks, and a head on the first token."""

    def __init__(self, classes: int, depth: int) -> None:
        super().__init__()
        self.scale = Scale()
        self.cls_token = nn.Parameter(torch.empty(1, 1, _CHANNELS))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + _SIDE**2, _CHANNELS))
        self.patch_embed = Patches()
        self.blocks = nn.Sequential(*(Block() for _ in range(depth)))
        self.norm: nn.Module = nn.LayerNorm(_CHANNELS, _EPSILON)
        self.head = nn.Linear(_CHANNELS, classes)

    def layers(self) -> Sequence[Layer]:
        """Return the embedding and the blocks."""
        return [self.embed, *self.blocks]

    def end(self, group: int) -> int:
        """Return the number of layers up to and including a block."""
        return 1 + group

    def finish(self, x: Tensor) -> Tensor:
        """(b, channels, tokens, 1) -> logits (b, classes)."""
        return self.head(self.norm(x[:, :, 0, 0]))  # type: ignore[no-any-return]

    def embed(self, x: Tensor) -> Tensor:
        """Scaled images (b, 3, h, w) -> maps (b, channels, tokens, 1)."""
        height, width = (_PATCH * max(1, round(side / _PATCH)) for side in x.shape[2:])
        if (height, width) != tuple(x.shape[2:]):
            x = F.interpolate(x, (height, width), mode="bilinear", antialias=True)
        x = self.patch_embed(x)
        first = self.cls_token.expand(x.shape[0], -1, -1).to(x.dtype)
        return _maps(torch.cat([first, x], 1) + self.positions(height // _PATCH, width // _PATCH))

    def positions(self, rows: int, columns: int) -> Tensor:
        """Return the embedding of positions (1, 1 + rows columns, channels)."""
        if (rows, columns) == (_SIDE, _SIDE):
            return self.pos_embed
        first, others = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        grid = others.view(1, _SIDE, _SIDE, _CHANNELS).permute(0, 3, 1, 2)
        factors = [(side + _OFFSET) / _SIDE for side in (rows, columns)]
        grid = F.interpolate(grid, scale_factor=factors, mode="bicubic")
        return torch.cat([first, grid.flatten(2).transpose(1, 2)], 1)

    def parameters_up_to(self, group: int) -> set[nn.Parameter]:
        """Return the parameters of the embedding and the first blocks."""
        embedding = {self.cls_token, self.pos_embed, *self.patch_embed.parameters()}
        return embedding | super().parameters_up_to(group)

    def cut(self, groups: int) -> int:
        """Keep the first blocks, 1 to all; return the channels."""
        self.blocks = nn.Sequential(*list(self.blocks)[:groups])
        return _CHANNELS


def _tokens(maps: Tensor) -> Tensor:
    """(b, channels, tokens, 1) -> (b, tokens, channels), a view."""
    return maps.squeeze(3).transpose(1, 2)


def _maps(tokens: Tensor) -> Tensor:
    """(b, tokens, channels) -> (b, channels, tokens, 1), a view in channels-last memory."""
    return tokens.contiguous().transpose(1, 2).unsqueeze(3)


def dinov2(classes: int, size: Size, *, depth: Annotated[int, Range(1, 100)] = 12) -> nn.Module:
    """Build DINOv2's ViT-S/14 (Oquab et al. 2023).

    size: at least 14 pixels; other sizes than multiples of 14 are resized to the nearest one.
    depth: number of blocks, at least 1; 12 is the published network.
    """
    need_size("dinov2", size, _PATCH)
    model = DINOv2(classes, depth)
    nn.init.trunc_normal_(model.pos_embed, std=0.02)
    nn.init.normal_(model.cls_token, std=1e-6)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return model
