"""A run of every network can be continued from, on other classes and other sizes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hundredfold import models
from hundredfold.data import Source
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.transfer import Transfer, resized
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.spec import names
from hundredfold.weights import files
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import resolve_weights

PACKAGE = models.__name__
NETWORKS = [*(name for name in names(PACKAGE) if name != "timm"),
            "vgg(depth=11, head='imagenet')", "resnet(depth=20)", "resnet(depth=50)"]  # fmt: skip
TRAINED_AT = 48  # pixels


def features_of(model: nn.Module, images: Tensor) -> Tensor:
    """Return what enters the last dense layer of a network, as it computes."""
    captured: list[Tensor] = []
    dense = [module for module in model.modules() if isinstance(module, nn.Linear)]
    dense[-1].register_forward_pre_hook(lambda _m, inputs: captured.append(inputs[0]))
    model(images)
    return captured[0]


@pytest.mark.parametrize("size", [32, TRAINED_AT, 64])
@pytest.mark.parametrize("text", NETWORKS)
def test_its_features_are_those_of_the_run(
    text: str, size: int, tmp_path: Path, make_run: Callable[..., Run],
    images: Callable[[int], Tensor],
) -> None:  # fmt: skip
    run = make_run(tmp_path, Recipe(model=text), name="first")
    trained = models.build(text, classes=3, size=TRAINED_AT, seed=3).eval()
    facts = {"recipe_digest": run.recipe.digest, "model": str(run.recipe.model),
             "strategy": "scratch", "size": str(TRAINED_AT)}  # fmt: skip
    files.write(run.best(), trained.state_dict(), facts)
    given = Recipe(model=text, weights=str(run.folder), strategy="linear_probe")
    recipe, file = resolve_weights(given, Source(offline=True))
    assert file is not None
    input_size = network.input_size_for(recipe, size, file)
    model = network.build(recipe, classes=5, size=size, input_size=input_size)
    assert isinstance(model, Transfer)
    load_weights(model.backbone, recipe.model, file)
    with torch.inference_mode():
        expected = features_of(trained, resized(images(size), TRAINED_AT))
        actual = model.eval().features(images(size))
        assert model(images(size)).shape == (4, 5)
    scale = actual.norm() / expected.norm()  # a network may scale what leaves its last layer
    torch.testing.assert_close(actual, expected * scale, rtol=1e-4, atol=1e-5)
