"""Weights of our own making, saved as others publish them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hundredfold import models
from hundredfold.backbones import BACKBONES
from hundredfold.data import Source
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.spec import Call
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import resolve_weights

SIDE = 32  # pixels of the images, which are not enlarged


def _recipe(backbone: str, strategy: str = "linear_probe", **options: object) -> Recipe:
    """Return a recipe that begins with weights of a backbone, which sees 32 pixels."""
    text = str(Call(strategy, {"input_size": SIDE, **options}))
    return Recipe(model=backbone, weights="imagenet", strategy=text)


def _made(backbone: str, strategy: str = "linear_probe", **options: object) -> Transfer:
    """Build a network under a new head, with random weights, in evaluation mode."""
    recipe = _recipe(backbone, strategy, **options)
    side = network.strategy_of(recipe).input_size
    built = network.build(recipe, classes=3, size=SIDE, input_size=side)
    assert isinstance(built, Transfer)
    return built.eval()


def _load(model: Transfer, backbone: str, file: Path) -> None:
    """Read a file of weights into the network of `_made`."""
    recipe, actual = resolve_weights(_recipe(backbone), Source(offline=True), file)
    assert actual is not None
    load_weights(model.backbone, recipe.model, actual)


def _published(backbone: str, seed: int = 1) -> dict[str, Tensor]:
    """Return the tensors of a whole ImageNet network, by torchvision's names."""
    model = models.build(BACKBONES[backbone].network, classes=1000, size=224, seed=seed)
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
def recipe_with() -> Callable[..., Recipe]:
    return _recipe


@pytest.fixture(scope="session")
def made() -> Callable[..., Transfer]:
    return _made


@pytest.fixture(scope="session")
def load() -> Callable[..., None]:
    return _load


@pytest.fixture(scope="session")
def published() -> Callable[..., dict[str, Tensor]]:
    return _published
