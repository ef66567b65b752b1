"""DINOv2's small network against a forward pass written from the published names and shapes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hundredfold import models
from hundredfold.backbones import BACKBONES
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import MissingError

NAME = "dinov2_small"
BLOCK = {
    "norm1.weight": (384,), "norm1.bias": (384,), "attn.qkv.weight": (1152, 384),
    "attn.qkv.bias": (1152,), "attn.proj.weight": (384, 384), "attn.proj.bias": (384,),
    "ls1.gamma": (384,), "norm2.weight": (384,), "norm2.bias": (384,),
    "mlp.fc1.weight": (1536, 384), "mlp.fc1.bias": (1536,), "mlp.fc2.weight": (384, 1536),
    "mlp.fc2.bias": (384,), "ls2.gamma": (384,),
}  # fmt: skip
SHAPES = {
    "cls_token": (1, 1, 384), "pos_embed": (1, 1370, 384), "mask_token": (1, 384),
    "patch_embed.proj.weight": (384, 3, 14, 14), "patch_embed.proj.bias": (384,),
    "norm.weight": (384,), "norm.bias": (384,),
} | {f"blocks.{n}.{name}": shape for n in range(12) for name, shape in BLOCK.items()}  # fmt: skip


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """Numbers of our own under the names and shapes of dinov2_vits14_pretrain.pth."""
    chance = torch.Generator().manual_seed(5)
    drawn = {n: 0.05 * torch.randn(shape, generator=chance) for n, shape in SHAPES.items()}
    for name in drawn:
        if name.endswith(("gamma", "norm.weight", "norm1.weight", "norm2.weight")):
            drawn[name] += 1
    return drawn


@pytest.fixture(scope="module")
def file(tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "dinov2_vits14_pretrain.pth"
    torch.save(tensors, path)
    return path


def reference(x: Tensor, w: dict[str, Tensor], side: int) -> Tensor:
    """Return the first token after the last norm; x: scaled images of 14 side pixels."""
    kernel, bias = w["patch_embed.proj.weight"], w["patch_embed.proj.bias"]
    patches = F.unfold(x, 14, stride=14).transpose(1, 2) @ kernel.flatten(1).T + bias
    positions = w["pos_embed"]
    if side != 37:
        grid = positions[:, 1:].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, scale_factor=(side + 0.1) / 37, mode="bicubic")
        assert grid.shape == (1, 384, side, side)
        positions = torch.cat([positions[:, :1], grid.reshape(1, 384, -1).permute(0, 2, 1)], 1)
    x = torch.cat([w["cls_token"].repeat(len(x), 1, 1), patches], 1) + positions
    for number in range(12):
        b = {n: w[f"blocks.{number}.{n}"] for n in BLOCK}
        y = F.layer_norm(x, (384,), b["norm1.weight"], b["norm1.bias"], 1e-6)
        y = y @ b["attn.qkv.weight"].T + b["attn.qkv.bias"]
        heads = []
        for head in range(6):
            q, k, v = (y[:, :, 384 * n + 64 * head : 384 * n + 64 * head + 64] for n in range(3))
            heads.append((q @ k.transpose(1, 2) / 8).softmax(2) @ v)
        y = torch.cat(heads, 2) @ b["attn.proj.weight"].T + b["attn.proj.bias"]
        x = x + b["ls1.gamma"] * y
        y = F.layer_norm(x, (384,), b["norm2.weight"], b["norm2.bias"], 1e-6)
        y = F.gelu(y @ b["mlp.fc1.weight"].T + b["mlp.fc1.bias"])
        x = x + b["ls2.gamma"] * (y @ b["mlp.fc2.weight"].T + b["mlp.fc2.bias"])
    return F.layer_norm(x[:, 0], (384,), w["norm.weight"], w["norm.bias"], 1e-6)


def scaled(images: Tensor) -> Tensor:
    """Scale by ImageNet's mean and deviation, as the published network expects."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    return (images.float() / 255 - mean) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


@pytest.mark.parametrize("side", [1, 2, 9, 16, 37])
def test_features_are_those_of_a_forward_pass_from_the_files_tensors(
    side: int, made: Callable[..., Transfer], load: Callable[..., None],
    images: Callable[[int], Tensor], tensors: dict[str, Tensor], file: Path,
) -> None:  # fmt: skip
    model = made(NAME, input_size=14 * side)
    load(model, NAME, file)
    pictures = images(14 * side)[: 1 if side == 37 else 4]
    with torch.inference_mode():
        expected = reference(scaled(pictures), tensors, side)
        actual = model.features(pictures)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


def test_other_sizes_are_resized_to_the_nearest_multiple_of_14(
    made: Callable[..., Transfer], load: Callable[..., None],
    images: Callable[[int], Tensor], tensors: dict[str, Tensor], file: Path,
) -> None:  # fmt: skip
    for size, side in ((32, 2), (64, 5), (128, 9)):
        model = made(NAME, input_size=size)
        load(model, NAME, file)
        with torch.inference_mode():
            x = F.interpolate(scaled(images(size)), (14 * side,) * 2, mode="bilinear",
                              antialias=True)  # fmt: skip
            torch.testing.assert_close(model.features(images(size)),
                reference(x, tensors, side), rtol=1e-3, atol=1e-4)  # fmt: skip


def test_parameters_are_the_published_number() -> None:
    """22,056,576 in the published file; its mask_token (384) is for pretraining only."""
    network = models.outline(BACKBONES[NAME].network, classes=2, size=224)
    own = {n: p.numel() for n, p in network.named_parameters() if not n.startswith("head.")}
    assert sum(own.values()) == 22_056_576 - 384
    assert own.keys() == SHAPES.keys() - {"mask_token"}


def test_a_file_of_another_size_is_refused(
    made: Callable[..., Transfer], load: Callable[..., None],
    tensors: dict[str, Tensor], tmp_path: Path,
) -> None:  # fmt: skip
    other = tensors | {"pos_embed": torch.zeros(1, 257, 384)}
    torch.save(other, tmp_path / "dinov2_small.pth")
    with pytest.raises(MissingError, match="not those of dinov2_small") as caught:
        load(made(NAME), NAME, tmp_path)
    assert "(1, 257, 384) there, (1, 1370, 384) here" in str(caught.value)
    assert "dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth" in str(
        caught.value
    )


def test_upper_blocks_continue_where_the_lower_ones_end(
    made: Callable[..., Transfer], images: Callable[[int], Tensor]
) -> None:
    model = made(NAME, "fine_tune", groups=2, input_size=28)
    with torch.inference_mode():
        maps = model.activations(images(28))
        assert maps.shape == (4, 384, 5, 1)
        expected = model(images(28))
        torch.testing.assert_close(model.head(model.backbone.upper(maps, 10)), expected)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert "backbone.blocks.10.attn.qkv.weight" in trained
    assert "backbone.blocks.9.attn.qkv.weight" not in trained
    assert not trained & {"backbone.pos_embed", "backbone.cls_token"}
