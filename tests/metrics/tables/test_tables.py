"""Tables against scikit-learn and SciPy."""

import numpy as np
import pytest
import sklearn.metrics as oracle
from scipy.optimize import minimize_scalar

from hundredfold.metrics.ece import ece
from hundredfold.metrics.loss import loss
from hundredfold.metrics.tables.confusion import confusion
from hundredfold.metrics.tables.per_class import per_class
from hundredfold.metrics.tables.reliability import reliability
from hundredfold.metrics.tables.temperature import temperature

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.choice(8, 500, p=np.arange(8) / 28)  # class 0 has no image
LOGITS = GENERATOR.normal(size=(500, 8)) + 1.5 * np.eye(8)[LABELS]
LOGITS[:, 7] -= 9  # class 7 is never predicted
SOFT = GENERATOR.normal(size=(500, 8)) + 1.5 * np.eye(8)[LABELS]
PREDICTED = LOGITS.argmax(axis=1)


def test_confusion_is_scikit_learns():
    expected = oracle.confusion_matrix(LABELS, PREDICTED, labels=range(8))
    np.testing.assert_array_equal(confusion(LOGITS, LABELS), expected)


def test_confusion_keeps_every_class_and_counts_every_image():
    actual = confusion(LOGITS[:3], LABELS[:3])
    assert actual.shape == (8, 8)
    assert actual.sum() == 3


def test_per_class_is_scikit_learns_with_0_for_fractions_of_nothing():
    expected_arrays = oracle.precision_recall_fscore_support(
        LABELS, PREDICTED, labels=range(8), zero_division=0
    )
    actual = per_class(LOGITS, LABELS)
    for got, expected in zip(
        (actual.precision, actual.recall, actual.f1, actual.support), expected_arrays, strict=True
    ):
        np.testing.assert_allclose(got, expected)


def test_reliability_adds_up_to_the_calibration_error():
    for adaptive in (False, True):
        actual = reliability(LOGITS, LABELS, bins=10, adaptive=adaptive)
        gap = np.nan_to_num(np.abs(actual.accuracy - actual.confidence))
        total = (actual.count * gap).sum() / 500
        expected = ece(LOGITS, LABELS, bins=10, adaptive=adaptive).value
        assert total == pytest.approx(expected)
        assert len(actual.edges) == 11


def test_confidence_lies_within_its_bin_and_an_empty_bin_holds_nothing():
    actual = reliability(LOGITS, LABELS, bins=20)
    full = actual.count > 0
    assert not full[0]  # with 8 classes confidence is at least 1/8
    assert np.isnan(actual.confidence[~full]).all()
    assert (actual.confidence[full] > actual.edges[:-1][full]).all()
    assert (actual.confidence[full] <= actual.edges[1:][full]).all()


@pytest.mark.parametrize("factor", [0.02, 1.0, 3.0, 20.0])
def test_temperature_minimises_the_loss(factor):
    actual = temperature(SOFT * factor, LABELS)
    expected = minimize_scalar(
        lambda log_t: loss(SOFT * factor / np.exp(log_t), LABELS).value,
        bounds=(np.log(0.01), np.log(100)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert actual == pytest.approx(np.exp(expected.x), rel=1e-4)


def test_temperature_undoes_a_factor():
    assert temperature(SOFT * 7, LABELS) == pytest.approx(7 * temperature(SOFT, LABELS))


def test_temperature_of_a_network_without_mistakes_is_the_least_allowed():
    labels = np.arange(40) % 4
    assert temperature(np.eye(4)[labels] * 3, labels) == pytest.approx(0.01)


def test_temperature_of_a_network_that_is_always_wrong_is_the_highest_allowed():
    labels = np.arange(40) % 4
    assert temperature(-np.eye(4)[labels] * 3, labels) == pytest.approx(100)


def test_temperature_of_logits_that_say_nothing_is_within_bounds():
    assert 0.01 <= temperature(np.zeros((10, 4)), np.arange(10) % 4) <= 100


def test_temperature_improves_calibration_on_other_images():
    half = np.arange(500) < 250
    sure = SOFT * 5
    actual = temperature(sure[half], LABELS[half])
    after = ece(sure[~half] / actual, LABELS[~half]).value
    assert after < ece(sure[~half], LABELS[~half]).value / 2
