"""Comparisons over folds of cross-validation, with the formula of Nadeau and Bengio as oracle."""

import numpy as np
import pytest
from scipy import stats

from hundredfold.comparison import compare

FIRST = [0.81, 0.79, 0.84, 0.80, 0.83]
SECOND = [0.78, 0.77, 0.80, 0.79, 0.79]


def test_an_interval_over_folds_counts_that_they_share_training_images() -> None:
    values = {"a": dict(enumerate(FIRST)), "b": dict(enumerate(SECOND))}
    comparison = compare(values, folds=5)
    (pair,) = comparison.pairs
    differences = np.subtract(FIRST, SECOND)
    error = differences.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)  # 1/4: validation over training images
    half = stats.t.ppf(0.975, 4) * error
    assert (pair.low, pair.high) == pytest.approx(
        (differences.mean() - half, differences.mean() + half)
    )
    assert pair.p == pytest.approx(2 * stats.t.sf(differences.mean() / error, 4))
    assert (pair.basis, pair.seeds, pair.leads) == ("folds", 5, 5)
    assert "5 folds" in pair.sentence
    assert comparison.to_json()["folds"] == 5


def test_it_is_wider_than_one_over_as_many_seeds() -> None:
    values = {"a": dict(enumerate(FIRST)), "b": dict(enumerate(SECOND))}
    (over_folds,), (over_seeds,) = (compare(values, folds=folds).pairs for folds in (5, 0))
    assert over_folds.low < over_seeds.low
    assert over_seeds.basis == "seeds"
