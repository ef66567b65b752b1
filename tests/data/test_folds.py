"""Folds: every training image is in the validation part of one of them."""

import numpy as np
import pytest

from hundredfold import data
from hundredfold.data import Source, training
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe

SHAPES = "shapes(size=16, classes=3, images=11)"


@pytest.mark.parametrize("folds", [2, 5, 33])
def test_folds_are_a_partition_with_even_classes(folds: int) -> None:
    dataset = data.load(SHAPES, Source())
    parts = [training(dataset, seed=3, fold=fold, folds=folds) for fold in range(folds)]
    held_out = np.concatenate([validation.indices for _, validation in parts])
    assert sorted(held_out) == list(range(33))
    for kept, validation in parts:
        assert sorted([*kept.indices, *validation.indices]) == list(range(33))
        counts = np.bincount(validation.labels[validation.indices], minlength=3)
        assert counts.max() - counts.min() <= 1
    sizes = [len(validation) for _, validation in parts]
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_decides_the_folds() -> None:
    dataset = data.load(SHAPES, Source())
    first, again, other = (
        training(dataset, seed=seed, fold=1, folds=4)[1].indices for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_recipe_names_its_fold() -> None:
    dataset = data.load(SHAPES, Source())
    recipe = Recipe(data=SHAPES, seed=2, folds=4, fold=3)
    expected = training(dataset, seed=2, fold=3, folds=4)[1]
    assert np.array_equal(data.split(dataset, recipe)[1].indices, expected.indices)


def test_more_folds_than_images_are_refused() -> None:
    with pytest.raises(UsageError, match="too few for 40 folds"):
        training(data.load(SHAPES, Source()), fold=39, folds=40)


def test_folds_beside_a_validation_part_are_refused() -> None:
    dataset = data.load(SHAPES, Source())
    dataset.parts["validation"] = dataset.parts["train"]  # type: ignore[index]
    with pytest.raises(UsageError, match="has a validation part of its own"):
        training(dataset, fold=0, folds=5)
