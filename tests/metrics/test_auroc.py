"""The area under the ROC curve against its definition, DeLong's variance and scikit-learn."""

import math

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given
from hypothesis import strategies as st

from hundredfold import metrics
from hundredfold.errors import DataError
from hundredfold.metrics import auroc
from hundredfold.metrics.auc import auc
from hundredfold.metrics.tables.roc import roc

VALUES = st.lists(st.integers(-4, 4), min_size=1, max_size=25)


def _kernel(above: list[int], below: list[int]) -> np.ndarray:
    """Return (m, n), 1 where a positive has the higher value, a half for ties."""
    table = [[1.0 if a > b else 0.5 if a == b else 0.0 for b in below] for a in above]
    return np.array(table)


@given(VALUES, VALUES)
def test_it_is_the_share_of_pairs_in_order_with_delongs_variance(
    above: list[int], below: list[int]
) -> None:
    table = _kernel(above, below)
    found = auroc(above, below)
    assert found.value == pytest.approx(table.mean(), abs=1e-12)
    assert found.n == len(above) + len(below)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    fewest = min(table.shape)
    variance = 0.0
    if fewest > 1:  # sample variances of the mean wins of each image, over their numbers
        variance = table.mean(1).var(ddof=1) / table.shape[0]
        variance += table.mean(0).var(ddof=1) / table.shape[1]
    value = table.mean()
    images = value * (1 - value) / variance if variance > 1e-15 else fewest
    images = min(max(images, fewest), found.n)
    assert (found.low, found.high) == pytest.approx(metrics.wilson(value, images), abs=1e-9)


def test_swapped_sides_are_the_complement() -> None:
    chance = np.random.default_rng(0)
    above, below = chance.normal(1, 1, 30), chance.normal(0, 1, 50)
    one, other = auroc(above, below), auroc(below, above)
    got = (other.value, other.low, other.high)
    assert got == pytest.approx((1 - one.value, 1 - one.high, 1 - one.low), abs=1e-12)


def test_all_told_apart_is_one_with_an_interval_below_it() -> None:
    found = auroc([2, 3, 4], [0, 1])
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(metrics.wilson(1.0, 2)[0])
    assert auroc(np.arange(100) + 200, np.arange(100)).low > 0.95


@pytest.mark.parametrize(("shift", "m", "n"), [(0.0, 40, 40), (1.0, 30, 100), (2.0, 60, 60)])
def test_intervals_hold_the_true_area_in_95_percent_of_samples(
    shift: float, m: int, n: int
) -> None:
    """Normal values: the area is Phi(shift / sqrt 2). 1,000 samples; four standard errors."""
    truth = 0.5 * (1 + math.erf(shift / 2))
    chance = np.random.default_rng(1)
    held = []
    for _ in range(1000):
        found = auroc(chance.normal(shift, 1, m), chance.normal(0, 1, n))
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 1000)


def _example(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(2)
    labels = (chance.random(n) < 0.3).astype(int)
    logits = chance.normal(size=(n, 2)).round(1)  # with ties
    logits[np.arange(n), labels] += 0.8
    return logits, labels


def test_auc_is_scikit_learns_and_the_same_for_either_class() -> None:
    logits, labels = _example()
    found = auc(logits, labels)
    odds = logits[:, 1] - logits[:, 0]
    assert found.value == pytest.approx(oracle.roc_auc_score(labels, odds), abs=1e-12)
    swapped = auc(logits[:, ::-1], 1 - labels)
    got = (swapped.value, swapped.low, swapped.high)
    assert got == pytest.approx((found.value, found.low, found.high), abs=1e-12)


def test_auc_of_images_of_one_class_is_unknown() -> None:
    found = auc(np.eye(2)[[0, 1, 0]], [1, 1, 1])
    assert (found.value, found.low, found.high, found.n) == (0.5, 0, 1, 3)


def test_auc_is_scored_by_default_for_two_classes_alone() -> None:
    logits, labels = _example()
    assert "auc" in metrics.scores(logits, labels)
    wide = np.hstack([logits, logits[:, :1] - 3])
    assert "auc" not in metrics.scores(wide, labels)
    assert "auc" not in metrics.scores(wide, labels, metrics={"auc": "auc"})
    for of_two in (auc, roc):
        with pytest.raises(DataError, match="of two classes"):
            of_two(wide, labels)


def test_the_roc_table_is_scikit_learns() -> None:
    logits, labels = _example()
    odds = logits[:, 1] - logits[:, 0]
    curve = roc(logits, labels)
    alarms, found, bounds = oracle.roc_curve(labels, odds, drop_intermediate=False)
    np.testing.assert_allclose(curve.odds, bounds[1:])
    np.testing.assert_allclose(curve.sensitivity, found[1:])
    np.testing.assert_allclose(1 - curve.specificity, alarms[1:], atol=1e-12)
    precision, recall, _ = oracle.precision_recall_curve(labels, odds)
    np.testing.assert_allclose(curve.precision, precision[:-1][::-1])
    np.testing.assert_allclose(curve.sensitivity, recall[:-1][::-1])
    wanted = oracle.average_precision_score(labels, odds)
    assert curve.average_precision == pytest.approx(wanted, abs=1e-12)
