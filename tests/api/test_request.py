"""What `train` takes from its weights when no network is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hundredfold.api.request import read
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.weights import files


def test_imagenet_alone_means_the_backbone_that_is_installed() -> None:
    for word in ("weights", "pretrained"):
        recipe = read("", {word: "imagenet"}).recipe
        assert recipe.model == Recipe(model="efficientnet_lite0").model
        assert recipe.weights == "imagenet"
        assert recipe.strategy.name == "linear_probe"


def test_a_network_that_is_named_stays() -> None:
    assert read("", {"weights": "imagenet", "model": "vgg16"}).recipe.model.name == "vgg"
    assert read("densenet169-frozen", {"weights": "imagenet"}).recipe.model.name == "densenet"
    assert read("simple-cnn", {"weights": "imagenet"}).recipe.model.name == "simple_cnn"
    assert read("", {"weights": "none"}).recipe.model.name == "simple_cnn"
    keras = read("", {"weights": "imagenet", "engine": "tensorflow"}).recipe
    assert keras.model.name == "simple_cnn"


@pytest.mark.parametrize(
    ("name", "backbone"),
    [("vgg16_notop.h5", "vgg16"), ("vgg16_bn-6c64b313.pth", "vgg16_bn"),
     ("efficientnet-lite0-57934424.pth", "efficientnet_lite0"), ("mine.pth", "simple_cnn"),
     ("dinov2_vits14_pretrain.pth", "dinov2_small")],
)  # fmt: skip
def test_a_files_name_says_whose_weights_it_holds(tmp_path: Path, name: str, backbone: str) -> None:
    (tmp_path / name).touch()
    recipe = read("", {"weights": str(tmp_path / name)}).recipe
    assert recipe.model == Recipe(model=backbone).model
    given = read("densenet169-frozen", {"weights": str(tmp_path / name)}).recipe
    assert given.model == Recipe(model="densenet169").model


def test_a_run_brings_its_network_by_name_folder_and_file(
    tmp_path: Path, make_run: Callable[..., Run]
) -> None:
    run = make_run(tmp_path, Recipe(model="wrn(depth=10, width=1)"), name="first")
    facts = {"recipe_digest": run.recipe.digest, "model": str(run.recipe.model)}
    files.write(run.best(), {"a": torch.zeros(1)}, facts)
    for weights in ("first", str(run.folder), str(run.best())):
        for recipe in ("", "densenet169-frozen"):
            request = read(recipe, {"weights": weights, "out": str(tmp_path)})
            assert request.recipe.model == run.recipe.model
