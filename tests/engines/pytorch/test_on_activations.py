"""The last groups of a network, trained on stored activations of the groups before."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hundredfold import models, training
from hundredfold.data import Source
from hundredfold.engines import engine_for
from hundredfold.engines.pytorch.held import Held
from hundredfold.errors import UsageError
from hundredfold.models._grouped import Grouped
from hundredfold.recipe import Recipe
from hundredfold.run import Run

FAMILIES = [
    "vgg(depth=11, head='pool')", "resnet(depth=18, stem='imagenet')", "convnext(width=8)",
    "densenet(stem='imagenet')", "mobilenet_v2(stem='imagenet')", "efficientnet(stem='imagenet')",
    "efficientnet_lite(stem='imagenet')",
]  # fmt: skip
SHAPES = "shapes(size=32, classes=3, images=24)"


@pytest.mark.parametrize("model", FAMILIES)
def test_both_halves_are_the_network_after_every_group(model: str) -> None:
    network = models.build(model, classes=4, size=64, seed=0).eval()
    assert isinstance(network, Grouped)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        whole = network(images)
        for group in (1, 2, 3):
            halves = network.upper(network.lower(images, group), group)
            torch.testing.assert_close(halves, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", FAMILIES)
def test_later_groups_have_more_parameters_below_them(model: str) -> None:
    network = models.build(model, classes=4, size=64, seed=0)
    assert isinstance(network, Grouped)
    counts = [len(network.parameters_up_to(group)) for group in (1, 2, 3)]
    assert counts == sorted(set(counts))
    assert counts[-1] < len(list(network.parameters()))


def train(tmp_path: Path, name: str, *, held: Held | None = None, **fields: Any) -> Run:
    recipe = Recipe().override(
        {
            "data": SHAPES, "model": "efficientnet_lite0", "weights": "imagenet", "epochs": 2,
            "batch_size": 8, "precision": "fp32", "patience": 0, "validation": 0.25,
            "select": "validation.top_1", "optimizer": "adamw(lr=0.01)",
            "augment": "flip(probability=1.0)",
            "strategy": "fine_tune(groups=2, views=2, input_size=64, head='best', rate=1.0)",
        } | fields
    )  # fmt: skip
    source = Source(cache=tmp_path / "cache", offline=True)
    options = training.Options(source, device="cpu", threads=1, out=tmp_path, name=name, held=held)
    return training.train(recipe, options, training.Progress(), engine_for(recipe))


def test_only_the_last_groups_and_the_head_are_trained(tmp_path: Path) -> None:
    before = load_file(train(tmp_path, "head", strategy="linear_probe(input_size=64, head='best')",
                             epochs=0, augment="none").best())  # fmt: skip
    after = load_file(train(tmp_path, "upper", select="last").best())
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    groups = {name.split(".")[2] for name in changed if name.startswith("backbone.features")}
    assert groups == {"6", "7", "8"}
    assert "classifier.weight" in changed


def test_activations_of_an_earlier_stage_change_no_bit(tmp_path: Path) -> None:
    alone = train(tmp_path, "alone", select="last")
    held = Held(groups=2, most=2**30)
    fresh = tmp_path / "fresh"  # features of another cache, so that they are computed and held
    head = "linear_probe(input_size=64, head='best')"
    train(fresh, "head", held=held, strategy=head, epochs=0, augment="none")
    assert held.maps
    again = train(fresh, "again", held=held, select="last")
    first, second = load_file(alone.best()), load_file(again.best())
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_what_is_too_much_to_hold_is_not_held() -> None:
    held = Held(groups=2, most=1000)
    held.keep(("a", 64), [np.zeros((2, 4, 4, 8), np.float16)], 2)
    assert list(held.maps) == [("a", 64)]
    held.keep(("b", 64), [np.zeros((2, 8, 8, 8), np.float16)], 2)
    held.keep(("c", 64), [np.zeros((1, 1, 1, 8), np.float16)], 2)
    assert list(held.maps) == [("a", 64)], "too large, and not all images"
    held.keep(("d", 96), [np.zeros((2, 4, 4, 8), np.float16)], 2)
    assert list(held.maps) == [("d", 96)], "the oldest make room"


def test_a_fitted_head_is_never_lost_to_its_training(tmp_path: Path) -> None:
    ruined = train(tmp_path, "ruined", optimizer="adamw(lr=3.0)")
    fitted = train(tmp_path, "fitted", strategy="linear_probe(input_size=64, head='best')",
                   epochs=0, augment="none")  # fmt: skip
    assert ruined.info["best_epoch"] == fitted.info["best_epoch"] == 0
    score = "validation.top_1"
    assert ruined.scores[score]["value"] == fitted.scores[score]["value"] > 0.4
    assert fitted.curve == []


@pytest.mark.parametrize("strategy", ["scratch", "linear_probe", "fine_tune(rate=0.1)"])
def test_no_epochs_need_a_fitted_head(tmp_path: Path, strategy: str) -> None:
    weights = "" if strategy == "scratch" else "imagenet"
    with pytest.raises(UsageError, match="epochs = 0 trains nothing"):
        train(tmp_path, "none", strategy=strategy, weights=weights, epochs=0)


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [("fine_tune(groups=7)", "leave none frozen"), ("fine_tune(views=2)", "views needs groups"),
     ("fine_tune(groups=2, freeze=1)", "groups replaces freeze")],
)  # fmt: skip
def test_groups_that_cannot_be_trained_are_refused(
    tmp_path: Path, strategy: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        train(tmp_path, "none", strategy=strategy)
    assert reason in f"{caught.value.message} {caught.value.found}"


def test_uneven_classes_are_sampled_evenly_from_activations_too(tmp_path: Path) -> None:
    plain, balanced = (
        train(tmp_path, kind, balance=kind, select="last") for kind in ("none", "sample")
    )
    one, other = load_file(plain.best()), load_file(balanced.best())
    assert any(not torch.equal(one[name], other[name]) for name in one)
