"""Uneven classes: weights of mean 1, and orders in which every class is equally frequent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hundredfold.data import balanced_order, class_weights

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=200).map(np.array)


@given(LABELS)
def test_every_class_weighs_the_same_and_an_image_one_on_average(labels: np.ndarray) -> None:
    weights = class_weights(labels, 7)
    totals = np.bincount(labels, weights[labels], 7)
    present = np.unique(labels)
    assert weights[labels].mean() == pytest.approx(1)
    assert totals[present] == pytest.approx(len(labels) / len(present))
    assert (weights[np.setdiff1d(np.arange(7), present)] == 0).all()


@given(LABELS, st.integers(0, 99))
def test_an_order_has_as_many_rows_and_every_class_equally_often(
    labels: np.ndarray, seed: int
) -> None:
    indices = np.arange(0, len(labels), 2)
    order = balanced_order(labels, indices, np.random.default_rng(seed))
    assert len(order) == len(indices)
    assert set(order) <= set(indices)
    counts = np.bincount(labels[order], minlength=6)[np.unique(labels[indices])]
    assert counts.max() - counts.min() <= 1
    for label in np.unique(labels[indices]):  # images of a class about equally often
        times = np.bincount(order, minlength=len(labels))[indices[labels[indices] == label]]
        assert times.max() - times.min() <= 1


def test_an_order_depends_on_the_generator_alone() -> None:
    labels = np.repeat([0, 1], [90, 10])
    one, again, other = (
        balanced_order(labels, np.arange(100), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert set(other[labels[other] == 0]) != set(one[labels[one] == 0]), "other images are drawn"
