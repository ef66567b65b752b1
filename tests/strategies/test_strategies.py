"""Strategies: what they train, and which values they refuse."""

import pytest

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.recipe import PACKAGES, Recipe, from_fields
from hundredfold.strategies import QUARTERS, Strategy


def _strategy(text: str) -> Strategy:
    strategy: Strategy = spec.resolve(text, PACKAGES["strategy"])()
    return strategy


def test_scratch_begins_at_random_and_trains_all() -> None:
    strategy = _strategy("scratch")
    assert not strategy.pretrained
    assert not strategy.frozen


def test_a_linear_probe_moves_nothing_of_the_network() -> None:
    strategy = _strategy("linear_probe")
    assert strategy.frozen
    assert [strategy.rate_of(quarter) for quarter in range(QUARTERS)] == [0.0] * 4


def test_rates_fall_towards_the_image_and_frozen_quarters_stay() -> None:
    strategy = _strategy("fine_tune(rate=0.8, layer_decay=0.5, freeze=1)")
    assert [strategy.rate_of(quarter) for quarter in range(QUARTERS)] == [0.0, 0.2, 0.4, 0.8]
    assert not strategy.frozen


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fine_tune(rate=0.0)", r"rate=0\.0"),
        ("fine_tune(layer_decay=1.5)", r"layer_decay=1\.5"),
        ("fine_tune(freeze=4)", "freeze=4"),
        ("linear_probe(views=0)", "views=0"),
        ("linear_probe(dropout=1.0)", r"dropout=1\.0"),
        ("linear_probe(input_size=4)", "input_size=4"),
    ],
)
def test_values_out_of_range_are_named(text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        _strategy(text)


def test_the_strategy_follows_the_weights_unless_it_is_given() -> None:
    recipe = Recipe().override({"model": "densenet169", "weights": "imagenet"})
    assert recipe.strategy.name == "linear_probe"
    assert recipe.override({"weights": "none"}).strategy.name == "scratch"
    tuned = recipe.override({"strategy": "fine_tune(rate=0.2)"})
    assert tuned.override({"weights": "other.pth"}).strategy == tuned.strategy


@pytest.mark.parametrize(
    "fields", [{"weights": "imagenet", "strategy": "scratch"}, {"strategy": "fine_tune"}]
)
def test_weights_and_strategy_have_to_agree(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="strategy"):
        from_fields(fields)


def test_a_backbones_name_is_its_network() -> None:
    recipe = from_fields({"model": "densenet169", "weights": "imagenet"})
    assert recipe.model.options["depth"] == 169
    assert from_fields(recipe.model_dump()).digest == recipe.digest
