"""Normalisation passes no gradient through what is constant, and keeps every bit of the rest."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hundredfold import models
from hundredfold.compute import norms
from hundredfold.spec import OwnFiles, part

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


def _maps(dtype: torch.dtype, channels: int = 5) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    maps = torch.randn(4, channels, 6, 6, generator=chance) * 2 + 0.5
    return maps.to(dtype).contiguous(memory_format=torch.channels_last)


def _both(norm: nn.Module, x: Tensor) -> list[tuple[Tensor, ...]]:
    """Return output, gradients and buffers of torch's layer and of the protected one."""
    results = []
    for layer in (copy.deepcopy(norm), norms.protect(copy.deepcopy(norm))):
        own = x.clone().requires_grad_()
        y = layer(own)
        y.float().square().mul(torch.arange(y.numel()).view(y.shape) % 3).sum().backward()
        gradients = [p.grad for p in layer.parameters()]
        results.append((y, own.grad, *gradients, *layer.buffers()))
    return results


@DTYPES
@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(5), nn.BatchNorm2d(5, affine=False), nn.BatchNorm2d(5, momentum=None),
             nn.BatchNorm2d(5, track_running_stats=False), nn.LayerNorm(6), nn.LayerNorm([6, 6])]
)  # fmt: skip
def test_channels_that_vary_keep_every_bit_of_torchs_layer(
    norm: nn.Module, dtype: torch.dtype
) -> None:
    plain, protected = _both(norm, _maps(dtype))
    assert len(plain) == len(protected)
    assert all(torch.equal(a, b) for a, b in zip(plain, protected, strict=True))


def _expected_of_bias(y: Tensor) -> Tensor:
    """Sum the gradient of `_both` over images and positions."""
    weights = torch.arange(y.numel()).view(y.shape) % 3
    return (2 * y.detach().double() * weights).sum((0, 2, 3))


@DTYPES
@pytest.mark.parametrize("value", [0.0, 0.3, -7.1, 900.0])
def test_a_constant_channel_gives_its_bias_and_no_gradient(
    dtype: torch.dtype, value: float
) -> None:
    x = _maps(dtype)
    x[:, 2] = value
    norm = nn.BatchNorm2d(5)
    nn.init.uniform_(norm.bias)
    plain, protected = _both(norm, x)
    y, gradient, of_weight, of_bias, mean, variance, _ = protected
    assert (y[:, 2].float() == norm.bias[2].to(dtype).float()).all()
    assert (gradient[:, 2] == 0).all()
    assert of_weight[2] == 0
    assert of_bias[2] == pytest.approx(float(_expected_of_bias(y)[2]), rel=1e-2)
    rounded = float(x[0, 2, 0, 0])
    assert mean[2] == pytest.approx(0.1 * rounded, rel=1e-4)
    assert variance[2] == pytest.approx(0.9 + 0.1 * max(1.0, rounded**2), rel=1e-3)
    others = [0, 1, 3, 4]
    assert torch.equal(gradient[:, others], plain[1][:, others])


def test_a_channel_of_two_neighbouring_numbers_is_constant_in_bf16() -> None:
    x = _maps(torch.bfloat16)
    x[:, 2] = 1.0
    x[::2, 2] = 1.0 + 2**-7
    _, protected = _both(nn.BatchNorm2d(5), x)
    assert (protected[1][:, 2] == 0).all()
    _, wider = _both(nn.BatchNorm2d(5), x.float())
    assert (wider[1][:, 2] != 0).any(), "fp32 has thousands of numbers between them"


def test_a_constant_position_passes_no_gradient_through_layer_normalisation() -> None:
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    x[1] = 0.25
    _, protected = _both(nn.LayerNorm(8), x)
    assert (protected[1][1] == 0).all()
    assert (protected[1][[0, 2]] != 0).all()


def test_in_inference_layers_are_torchs() -> None:
    norm = nn.BatchNorm2d(5).eval()
    x = _maps(torch.float32)
    assert torch.equal(norm(x), norms.protect(copy.deepcopy(norm))(x))


def test_a_chain_of_layers_does_not_multiply_rounding() -> None:
    """What a bias in front of nine normalisations gets is zero but for rounding."""
    layers = [nn.Sequential(nn.BatchNorm2d(4), nn.SiLU()) for _ in range(9)]
    network = nn.Sequential(*layers)
    sizes = []
    for model in (network, norms.protect(copy.deepcopy(network))):
        bias = torch.zeros(4, 1, 1, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            x = torch.zeros(8, 4, 9, 9, dtype=torch.bfloat16) + bias.bfloat16() + 0.1
            y = model(x)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
        (y.float() * weights).sum().backward()
        sizes.append(float(bias.grad.abs().max()))
    assert sizes[0] > 1e6, "which is what torch's layers do"
    assert sizes[1] == 0


def test_networks_of_ones_own_are_protected_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "def net(classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(),\n"
        "        nn.Linear(4 * 30 * 30, 8), nn.BatchNorm1d(8), nn.Linear(8, classes))\n"
    )
    own = part(f"{file}:net", "hundredfold.models", OwnFiles(tmp_path, None))
    network = models.build(own, classes=4, size=32, seed=0)
    kinds = [type(module) for module in network.children()]
    assert kinds[1] is norms.BatchNorm2d
    assert kinds[4] is norms.BatchNorm1d


def test_a_layer_checks_the_shape_of_what_it_gets() -> None:
    with pytest.raises(ValueError, match="4D"):
        norms.BatchNorm2d(5)(torch.zeros(3, 5))
