"""The space of a search: what a recipe suggests, and what a file may ask for."""

from pathlib import Path

import pytest

from hundredfold import recipes
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.studies.search.space import Dimension, applied, default_space
from hundredfold.studies.search.space_file import read_space


def space_of(text: str, folder: Path, recipe: Recipe | None = None) -> dict[str, Dimension]:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return {d.option: d for d in read_space(path, recipe or Recipe())}


def test_a_recipe_suggests_rates_smoothing_strength_and_width() -> None:
    found = {d.option: d for d in default_space(recipes.load("wrn-16-4"))}
    recipe = recipes.load("wrn-16-4")
    rate = recipe.optimizer.options["lr"]
    assert found["optimizer.lr"] == Dimension("optimizer.lr", rate / 10, rate * 10, log=True)
    assert found["loss.label_smoothing"].low == 0
    assert found["model.width"] == Dimension("model.width", 2, 8, log=True, whole=True)
    assert found["augment.pixels"] == Dimension("augment.pixels", 0, 8, whole=True)


@pytest.mark.parametrize("name", sorted(recipes.shipped("")))
def test_every_recipe_that_ships_takes_both_ends_of_its_space(name: str) -> None:
    recipe = recipes.load(name)
    space = default_space(recipe)
    assert any(d.option.startswith("optimizer.") for d in space)
    for dimension in space:
        assert dimension.low < dimension.high
        for end in (dimension.low, dimension.high):
            changed = applied(recipe, {dimension.option: end})
            assert changed.digest != recipe.digest or end in (0, recipe.loss.options)


def test_pretrained_networks_keep_their_width_and_off_stays_off() -> None:
    frozen = {d.option for d in default_space(recipes.load("densenet169-finetuned"))}
    assert "model.width" not in frozen
    plain = Recipe().override({"optimizer": "sgd(weight_decay=0.0)", "augment": "flip | cutmix"})
    found = {d.option for d in default_space(plain)}
    assert "optimizer.weight_decay" not in found
    assert "augment.probability" not in found  # flip takes it too


def test_a_file_has_ranges_logarithms_and_choices(tmp_path: Path) -> None:
    text = """
    batch_size = { low = 16, high = 64, log = true }
    schedule = ["cosine", "linear"]
    optimizer.lr = [0.001, 1]
    [loss]
    label_smoothing = { choices = [0.0, 0.1] }
    """
    found = space_of(text, tmp_path)
    assert found["batch_size"] == Dimension("batch_size", 16, 64, log=True, whole=True)
    assert found["schedule"].choices == ("cosine", "linear")
    assert found["optimizer.lr"] == Dimension("optimizer.lr", 0.001, 1.0)
    assert found["loss.label_smoothing"].choices == (0.0, 0.1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ('"optimizer.rate" = [0.1, 1.0]', "has no option 'rate'"),
        ('"optimiser.lr" = [0.1, 1.0]', "cannot vary 'optimiser.lr'"),
        ("epochs = [3, 9]", "cannot vary 'epochs'"),
        ("seed = [3, 9]", "cannot vary 'seed'"),
        ('"loss.label_smoothing" = [0.0, 1.0]', "out of range"),
        ('"optimizer.lr" = [1.0, 0.1]', "is not a range"),
        ('"optimizer.lr" = { low = 0.0, high = 1.0, log = true }', "no logarithm"),
        ('"optimizer.lr" = { low = 0.1, hihg = 1.0 }', "no range and no choices"),
        ('"optimizer.lr" = 0.1', "no range and no choices"),
        ("batch_size = [1.5, 64]", "not whole numbers"),
        ("batch_size = [0, 64]", "from 1 to"),
        ('schedule = ["cosine", "cosin"]', "cosin"),
        ('schedule = ["cosine"]', "no range and no choices"),
        ('"schedule.warmup" = ["a", "b"]', "type float"),
        ('"optimizer.lr" = [0.1', "cannot read the space"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        space_of(text, tmp_path)
    assert words in str(caught.value)


def test_a_depth_in_steps_takes_choices_only(tmp_path: Path) -> None:
    recipe = recipes.load("wrn-16-4")
    with pytest.raises(UsageError, match="no range"):
        space_of('"model.depth" = [16, 40]', tmp_path, recipe)
    assert space_of('"model.depth" = [16, 22, 40]', tmp_path, recipe)
    with pytest.raises(UsageError, match="out of range"):
        space_of('"model.depth" = [16, 23, 40]', tmp_path, recipe)


def test_a_number_that_is_tried_is_readable_and_within_its_bounds() -> None:
    rate = Dimension("optimizer.lr", 0.00123456, 0.1, log=True)
    assert rate.readable(0.0456789) == 0.04568
    assert rate.readable(0.001234561) == 0.001235
    assert Dimension("x", 0.00123456, 0.1).readable(0.0012340) == 0.00123456
    assert rate.nearest(5.0) == 0.1
    assert Dimension("schedule", choices=("a", "b")).nearest("c") is None
