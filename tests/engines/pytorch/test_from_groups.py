"""Features from several groups of a backbone, and a hidden layer in the head."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hundredfold import recipes
from hundredfold.backbones import BACKBONES
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import UsageError
from hundredfold.models._fold import fold
from hundredfold.recipe import Recipe
from hundredfold.strategies.linear_probe import linear_probe

SMALL = ("vgg16", "resnet18", "densenet121", "mobilenet_v2", "efficientnet_b0",
         "efficientnet_lite0", "convnext_tiny", "dinov2_small")  # fmt: skip


def built(backbone: str, strategy: str) -> Transfer:
    recipe = Recipe(model=backbone, weights="imagenet", strategy=strategy, seed=4)
    model = network.build(recipe, classes=5, size=64)
    assert isinstance(model, Transfer)
    return model.eval()


def images() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (2, 3, 64, 64)
    drawn = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return drawn.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("maxima", [False, True])
@pytest.mark.parametrize("backbone", SMALL)
def test_features_are_the_means_after_each_group(backbone: str, maxima: bool) -> None:
    last = BACKBONES[backbone].groups
    whole = built(backbone, "linear_probe")
    both = built(backbone, f"linear_probe(from_groups=(2, {last}), with_maxima={maxima})")
    maps: list[Tensor] = []
    finish = whole.backbone.finish
    whole.backbone.finish = lambda x: (maps.append(x), finish(x))[1]
    with torch.inference_mode():
        second = whole.backbone.lower(images(), 2)
        parts = [second.mean((2, 3)), second.flatten(2).max(2).values, whole.features(images())]
        parts.append(maps[0].flatten(2).max(2).values)
        expected = torch.cat(parts if maxima else parts[::2], 1)
        actual, folded = both.features(images()), fold(both.backbone)(images())
    assert both.standard.mean.shape == (expected.shape[1],)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    largest = float(expected.abs().max())
    torch.testing.assert_close(folded, expected, rtol=1e-3, atol=1e-4 * largest)


def test_groups_of_vgg_end_with_their_pool() -> None:
    """An oracle of plain functions: five groups of 3x3 convolutions, ReLU, 2x2 maximum."""
    model = built("vgg16", "linear_probe(from_groups=(3, 4))")
    assert not any(name.startswith("features.24") for name in model.backbone.state_dict())
    w = model.backbone.state_dict()
    x = (images().float() - w["scale.mean"]) / w["scale.std"]
    convolutions = iter((0, 2, 5, 7, 10, 12, 14, 17, 19, 21))
    means = []
    for count in (2, 2, 3, 3):
        for _ in range(count):
            name = f"features.{next(convolutions)}"
            x = F.relu(F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1))
        x = F.max_pool2d(x, 2)
        means.append(x.mean((2, 3)))
    with torch.inference_mode():
        actual = model.features(images())
    torch.testing.assert_close(actual, torch.cat(means[2:], 1), rtol=1e-4, atol=1e-5)


def test_groups_that_do_not_exist_are_one_sentence() -> None:
    with pytest.raises(UsageError, match="has no group 6") as caught:
        built("vgg16", "linear_probe(from_groups=(3, 6))")
    assert "1 to 5" in str(caught.value)
    with pytest.raises(UsageError, match="cannot be cut"):
        built("simple_cnn", "linear_probe(from_groups=(1, 2))")
    for wrong in ((0, 1), (3, 2), (2, 2)):
        with pytest.raises(UsageError, match="from_groups"):
            built("vgg16", f"linear_probe(from_groups={wrong})")
    with pytest.raises(UsageError, match="whose maxima"):
        built("simple_cnn", "linear_probe(with_maxima=True)")
    with pytest.raises(UsageError, match="from_groups alone"):
        linear_probe(from_groups=(1, 2), cut=3)


def test_a_hidden_layer_is_trained_with_the_head_and_drops_units() -> None:
    model = built("resnet18", "linear_probe(hidden=16, dropout=0.5)")
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"hidden.0.weight", "hidden.0.bias", "classifier.weight", "classifier.bias"}
    assert {rate for _, rate in model.rates()} == {1.0}
    assert len(list(model.rates())) == 4
    features = torch.randn(3, 512, generator=torch.Generator().manual_seed(1))
    w = model.state_dict()
    hidden = F.relu(F.linear(features, w["hidden.0.weight"], w["hidden.0.bias"]))
    expected = F.linear(hidden, w["classifier.weight"], w["classifier.bias"])
    torch.testing.assert_close(model.head(features), expected)
    assert not torch.equal(model.train().head(features), model.head(features))


def test_a_head_without_a_hidden_layer_has_the_weights_that_it_had() -> None:
    names = {n for n in built("resnet18", "linear_probe").state_dict() if "backbone" not in n}
    assert names == {"standard.mean", "standard.std", "classifier.weight", "classifier.bias"}
    for head in ("ridge", "logistic"):
        with pytest.raises(UsageError, match="only a linear head"):
            linear_probe(hidden=8, head=head)
    with pytest.raises(UsageError, match="hidden"):
        built("resnet18", "linear_probe(hidden=-1)")


def test_the_recipe_of_vgg16_takes_three_groups_and_a_mirrored_view() -> None:
    recipe = recipes.load("vgg16-frozen")
    strategy = network.strategy_of(recipe)
    assert (strategy.from_groups, strategy.views, strategy.frozen) == ((3, 4, 5), 2, True)
    assert str(recipe.augment) == "flip(probability=1.0)"
