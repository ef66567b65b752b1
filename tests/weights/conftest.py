"""Weights of our own making, saved as others publish them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hundredfold import models, spec
from hundredfold.backbones import BACKBONES

TEXT = "transfer(backbone={!r}, resolution=32)"


def _made(backbone: str, seed: int = 0, **options: object) -> nn.Module:
    """Build a transfer with random weights in evaluation mode."""
    text = TEXT.format(backbone)
    parsed = spec.parse(text)
    parsed = spec.Call(parsed.name, {**parsed.options, **options})
    return models.build(parsed, classes=3, size=32, seed=seed).eval()


def _completed(backbone: str, **options: object) -> spec.Call:
    """Return the call of `_made` with every default."""
    parsed = spec.parse(TEXT.format(backbone))
    return spec.complete(
        spec.Call(parsed.name, {**parsed.options, **options}), "hundredfold.models"
    )


def _published(backbone: str, seed: int = 1) -> dict[str, Tensor]:
    """Return the tensors of a whole ImageNet network, by torchvision's names."""
    network = spec.parse(BACKBONES[backbone].network)
    model = models.build(network, classes=1000, size=224, seed=seed)
    chance = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3, generator=chance)
            module.running_var.uniform_(0.2, 2.0, generator=chance)
    return {n: t for n, t in model.state_dict().items() if not n.startswith("scale.")}


@pytest.fixture(scope="session")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a .pth file as torchvision publishes ResNet-18."""
    file = tmp_path_factory.mktemp("weights") / "resnet18-00000000.pth"
    torch.save(_published("resnet18"), file)
    return file


@pytest.fixture
def images() -> Callable[[int], Tensor]:
    """Return a function that draws uint8 images (4, 3, size, size)."""

    def draw(size: int) -> Tensor:
        generator = torch.Generator().manual_seed(2)
        shape = (4, size, size, 3)
        drawn = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return drawn.permute(0, 3, 1, 2)

    return draw


@pytest.fixture(scope="session")
def made() -> Callable[..., nn.Module]:
    return _made


@pytest.fixture(scope="session")
def completed() -> Callable[..., spec.Call]:
    return _completed


@pytest.fixture(scope="session")
def published() -> Callable[..., dict[str, Tensor]]:
    return _published
