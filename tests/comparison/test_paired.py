"""Intervals and p values, with SciPy and worked examples as oracles."""

import numpy as np
import pytest
from scipy import stats

from hundredfold.comparison._paired import holm, mcnemar, over_images, t_interval, t_test


def test_the_t_interval_and_test_are_scipys():
    values = [0.31, 0.35, 0.28, 0.36, 0.3]
    wanted = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert t_interval(values) == pytest.approx(wanted)
    assert t_test(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_values_that_are_all_0_do_not_differ_from_0():
    assert t_test([0.0, 0.0, 0.0]) == 1
    assert t_test([0.5, 0.5, 0.5]) == 0


@pytest.mark.parametrize(("one", "other"), [(0, 0), (5, 5), (3, 12), (0, 6), (400, 330)])
def test_mcnemars_test_is_scipys_binomial(one, other):
    wanted = stats.binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(wanted)
    assert mcnemar(other, one) == mcnemar(one, other)


def test_holms_correction_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_paired_losses_take_the_normal_interval():
    difference = np.random.default_rng(0).normal(0.1, 1, 400)
    low, high, p = over_images(difference)
    error = difference.std() / 20
    assert (low, high) == pytest.approx(
        (difference.mean() - 1.96 * error, difference.mean() + 1.96 * error), abs=1e-5
    )
    assert p == pytest.approx(2 * stats.norm.sf(abs(difference.mean() / error)))


def test_runs_that_agree_on_every_image_keep_an_interval():
    low, high, p = over_images(np.zeros(20))
    assert low < 0 < high
    assert p == 1


def test_the_interval_of_paired_images_covers_the_truth_in_about_95_percent_of_draws():
    generator, covered = np.random.default_rng(0), []
    for _ in range(1000):
        difference = generator.choice([-1.0, 0.0, 1.0], 300, p=[0.04, 0.88, 0.08])
        low, high, _ = over_images(difference)
        covered.append(low <= 0.04 <= high)
    assert 0.93 <= np.mean(covered) <= 0.97
