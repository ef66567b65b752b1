"""Every network computes in ONNX Runtime what it computes in PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from hundredfold import models
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.inference import Opened
from hundredfold.exporters._core import core_of
from hundredfold.onnx_model import session_of
from hundredfold.recipe import Recipe
from hundredfold.size import Size
from hundredfold.spec import names

SMALLEST = {
    "simple_cnn": ("simple_cnn", "18x22"),
    "resnet": ("resnet(depth=20)", "12x16"),
    "preact_resnet": ("preact_resnet(depth=20)", "12x16"),
    "wrn": ("wrn(depth=10, width=1)", "12x16"),
    "speednet": ("speednet(width=0.25)", "32"),
    "densenet": ("densenet(depth=16)", "16x20"),
    "vgg": ("vgg(depth=11)", "32x40"),
    "mobilenet_v2": ("mobilenet_v2(width=0.25)", "32x40"),
    "efficientnet": ("efficientnet", "16x24"),
    "efficientnet_lite": ("efficientnet_lite", "16x24"),
    "convnext": ("convnext(width=8)", "32x48"),
    "dinov2": ("dinov2(depth=1)", "28x42"),
}
PROBES = {
    "linear_probe": ("efficientnet_lite", "16x24", "linear_probe(input_size=32)"),
    "fine_tune": ("efficientnet_lite", "16x24", "fine_tune(input_size=32)"),
    "the same size": ("efficientnet_lite", "32", "linear_probe(input_size=32)"),
    "smaller": ("resnet(depth=18)", "48", "linear_probe(input_size=32)"),
    "a folded densenet": ("densenet(depth=16)", "16x20", "linear_probe"),
}


def stirred(model: nn.Module) -> nn.Module:
    """Give norms statistics of their own, so that leaving one out is seen."""
    chance = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3, generator=chance)
            module.running_var.uniform_(0.5, 2.0, generator=chance)
            nn.init.uniform_(module.weight, 0.5, 1.2, generator=chance)
            nn.init.uniform_(module.bias, -0.3, 0.3, generator=chance)
    return model


def need_equal(model: nn.Module, size: Size, classes: int) -> None:
    opened = Opened(network.for_inference(model), tuple(map(str, range(classes))), size)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (3, *size, 3), np.uint8)
    images[2] = images[2, :, :, :1]  # grey
    expected = opened.logits(images, np.arange(3))
    session = session_of(core_of(opened).SerializeToString(), "the network", 1)
    for rows in (images, images[:1]):
        (found,) = session.run(None, {"sized": rows})
        bound = 1e-4 * max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected[: len(rows)], rtol=0, atol=bound)


def test_every_family_has_a_row() -> None:
    assert set(SMALLEST) == set(names(models.__name__)) - {"timm"}


@pytest.mark.parametrize("name", SMALLEST)
def test_every_family_computes_the_same(name: str) -> None:
    text, size = SMALLEST[name]
    model = models.build(text, classes=2, size=Size.of(size), seed=0)
    need_equal(stirred(model), Size.of(size), 2)


@pytest.mark.parametrize("name", PROBES)
def test_a_transfer_computes_the_same(name: str) -> None:
    text, size, strategy = PROBES[name]
    recipe = Recipe(model=text, strategy=strategy, weights="file:none")
    model = network.build(recipe, classes=5, size=size, input_size=_input(strategy, size))
    with torch.no_grad():
        model.standard.set(torch.randn(20, len(model.standard.mean)))
        nn.init.normal_(model.classifier.weight)
    need_equal(stirred(model), Size.of(size), 5)


def _input(strategy: str, size: str) -> Size:
    return Size.of(32) if "input_size" in strategy else Size.of(size)
