"""Folded networks compute what the networks compute."""

import copy

import pytest
import torch
from torch import Tensor, nn

from hundredfold.backbones import BACKBONES
from hundredfold.models import build
from hundredfold.models._fold import fold


def backbone(text: str, size: int = 40) -> nn.Module:
    """Build a network whose norms have statistics, and slopes of both signs, of their own."""
    model = build(text, classes=4, size=size, seed=0).eval()
    chance = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5, generator=chance)
            module.running_var.uniform_(0.5, 2.0, generator=chance)
            nn.init.uniform_(module.weight, -0.3, 1.2, generator=chance)
            nn.init.uniform_(module.bias, -0.3, 0.3, generator=chance)
            with torch.no_grad():
                module.weight[0] = 0  # a channel that is a constant
    return model


def images(size: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (3, size, size, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)


PUBLISHED = {backbone.network for backbone in BACKBONES.values()}
NETWORKS = [*sorted(PUBLISHED - {BACKBONES["resnet101"].network}),
            "densenet(depth=16)", "resnet(depth=20)", "wrn(depth=10, width=1)"]  # fmt: skip


@pytest.mark.parametrize("text", NETWORKS)
def test_a_folded_network_computes_the_same(text: str) -> None:
    model = backbone(text)
    before = copy.deepcopy(model.state_dict())
    folded = fold(model)
    with torch.inference_mode():
        expected, folded_output = model(images()), folded(images())
    largest = float(expected.abs().max())
    torch.testing.assert_close(folded_output, expected, rtol=1e-3, atol=1e-4 * largest)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


@pytest.mark.parametrize("text", ["vgg(batch_norm=True, head='pool')", "resnet(depth=18)",
                                  "mobilenet_v2", "efficientnet", "efficientnet_lite"])  # fmt: skip
def test_no_norm_remains_after_a_convolution(text: str) -> None:
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fold(backbone(text)).modules())


@pytest.mark.parametrize("groups", [1, 2, 3, 4])
def test_a_cut_densenet_is_folded_too(groups: int) -> None:
    model = backbone("densenet(depth=121)")
    model.classifier = nn.Identity()
    channels = model.cut(groups)
    with torch.inference_mode():
        expected, folded_output = model(images()), fold(model)(images())
    assert folded_output.shape == (3, channels)
    torch.testing.assert_close(
        folded_output, expected, rtol=1e-3, atol=1e-4 * float(expected.max())
    )


@pytest.mark.parametrize("backbone_name", [name for name, b in BACKBONES.items() if b.keras])
def test_a_folded_network_with_keras_padding_computes_the_same(backbone_name: str) -> None:
    model = backbone(BACKBONES[backbone_name].network)
    for module in model.modules():
        if hasattr(module, "stride_first"):
            module.stride_first()
        if hasattr(module, "late"):
            module.late = True
    with torch.inference_mode():
        expected, actual = model(images()), fold(model)(images())
    largest = float(expected.abs().max())
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4 * largest)


def test_in_bf16_a_folded_densenet_is_not_further_off_than_the_plain_one() -> None:
    model = backbone("densenet(depth=40)")
    with torch.inference_mode():
        exact = model(images())
        with torch.autocast("cpu", torch.bfloat16):
            plain, folded = (net(images()).float() for net in (model, fold(model)))
    errors = [float((output - exact).norm() / exact.norm()) for output in (plain, folded)]
    assert 0 < errors[1] < 1.5 * errors[0]
