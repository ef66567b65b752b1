"""Intervals against published values and against simulation."""

import numpy as np
import pytest

from hundredfold.metrics import _score
from hundredfold.metrics.balanced_accuracy import balanced_accuracy
from hundredfold.metrics.brier import brier
from hundredfold.metrics.ece import ece
from hundredfold.metrics.loss import loss
from hundredfold.metrics.macro_f1 import macro_f1
from hundredfold.metrics.top_k import top_k


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(right, n, low, high):
    actual = _score.wilson(right / n, n)
    assert actual == pytest.approx((low, high), abs=5e-5)


def test_wilsons_bounds_solve_their_equation():
    # each bound p is where |share - p| is exactly 1.96 standard errors of p
    for share, n in ((0.3, 40), (0.985, 200)):
        for p in _score.wilson(share, n):
            assert abs(share - p) == pytest.approx(_score.Z95 * np.sqrt(p * (1 - p) / n))


def test_a_fraction_of_nothing_or_everything_keeps_a_width():
    assert _score.wilson(0.0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert _score.wilson(1.0, 10) == (pytest.approx(0.7225, abs=1e-4), 1.0)


def test_a_mean_of_two_values_has_the_normal_interval():
    actual = _score.mean_score(np.array([1.0, 3.0]))
    assert (actual.value, actual.low, actual.high) == pytest.approx((2.0, 0.040036, 3.959964))


def test_a_mean_of_one_value_is_known_to_nobody():
    actual = _score.mean_score(np.array([0.7]), most=2.0)
    assert (actual.low, actual.value, actual.high) == (0.0, 0.7, 2.0)


def population(classes, skew, size=40_000):
    generator = np.random.default_rng(0)
    chances = np.arange(1, classes + 1.0) ** -skew
    labels = generator.choice(classes, size, p=chances / chances.sum())
    logits = generator.normal(size=(size, classes))
    logits[np.arange(size), labels] += 2 + labels / classes
    return logits, labels


@pytest.mark.parametrize("skew", [0, 0.7])
@pytest.mark.parametrize("metric", [top_k, loss, brier, macro_f1, balanced_accuracy])
def test_intervals_cover_the_truth_in_about_95_percent_of_draws(metric, skew):
    logits, labels = population(6, skew)
    truth, generator = metric(logits, labels).value, np.random.default_rng(1)
    draws = [generator.integers(len(labels), size=500) for _ in range(400)]
    actual = [metric(logits[chosen], labels[chosen]) for chosen in draws]
    covered = np.mean([score.low <= truth <= score.high for score in actual])
    assert 0.92 <= covered <= 0.98


def test_the_calibration_errors_interval_covers_the_truth_in_about_95_percent_of_draws():
    logits, labels = population(6, 0)
    truth, generator = ece(logits * 4, labels).value, np.random.default_rng(1)
    draws = [generator.integers(len(labels), size=1000) for _ in range(200)]
    actual = [ece(4 * logits[chosen], labels[chosen]) for chosen in draws]
    covered = np.mean([score.low <= truth <= score.high for score in actual])
    assert 0.88 <= covered <= 0.99


def test_the_calibration_error_of_a_calibrated_network_may_be_0():
    generator, reached = np.random.default_rng(0), []
    for _ in range(100):
        logits = generator.normal(size=(400, 4))
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = (chances.cumsum(axis=1) < generator.random((400, 1))).sum(axis=1)
        reached.append(ece(logits, np.minimum(labels, 3)).low == 0)
    assert 0.88 <= np.mean(reached) <= 1


def test_the_interval_of_macro_f1_is_as_wide_as_the_bootstraps():
    logits, labels = population(6, 0.7)
    logits, labels = logits[:800], labels[:800]
    generator, draws = np.random.default_rng(1), []
    for _ in range(500):
        chosen = generator.integers(800, size=800)
        draws.append(macro_f1(logits[chosen], labels[chosen]).value)
    score = macro_f1(logits, labels)
    assert score.high - score.low == pytest.approx(4 * 0.98 * np.std(draws), rel=0.1)
