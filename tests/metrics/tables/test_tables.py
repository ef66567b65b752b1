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
    wanted = oracle.confusion_matrix(LABELS, PREDICTED, labels=range(8))
    np.testing.assert_array_equal(confusion(LOGITS, LABELS), wanted)


def test_confusion_keeps_every_class_and_counts_every_image():
    found = confusion(LOGITS[:3], LABELS[:3])
    assert found.shape == (8, 8)
    assert found.sum() == 3


def test_per_class_is_scikit_learns_with_0_for_fractions_of_nothing():
    wanted = oracle.precision_recall_fscore_support(
        LABELS, PREDICTED, labels=range(8), zero_division=0
    )
    found = per_class(LOGITS, LABELS)
    for got, expected in zip(
        (found.precision, found.recall, found.f1, found.support), wanted, strict=True
    ):
        np.testing.assert_allclose(got, expected)


def test_reliability_adds_up_to_the_calibration_error():
    for adaptive in (False, True):
        found = reliability(LOGITS, LABELS, bins=10, adaptive=adaptive)
        gap = np.nan_to_num(np.abs(found.accuracy - found.confidence))
        total = (found.count * gap).sum() / 500
        wanted = ece(LOGITS, LABELS, bins=10, adaptive=adaptive).value
        assert total == pytest.approx(wanted)
        assert len(found.edges) == 11


def test_confidence_lies_within_its_bin_and_an_empty_bin_holds_nothing():
    found = reliability(LOGITS, LABELS, bins=20)
    full = found.count > 0
    assert not full[0]  # with 8 classes confidence is at least 1/8
    assert np.isnan(found.confidence[~full]).all()
    assert (found.confidence[full] > found.edges[:-1][full]).all()
    assert (found.confidence[full] <= found.edges[1:][full]).all()


@pytest.mark.parametrize("factor", [0.02, 1.0, 3.0, 20.0])
def test_temperature_minimises_the_loss(factor):
    found = temperature(SOFT * factor, LABELS)
    wanted = minimize_scalar(
        lambda log_t: loss(SOFT * factor / np.exp(log_t), LABELS).value,
        bounds=(np.log(0.01), np.log(100)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found == pytest.approx(np.exp(wanted.x), rel=1e-4)


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
    found = temperature(sure[half], LABELS[half])
    after = ece(sure[~half] / found, LABELS[~half]).value
    assert after < ece(sure[~half], LABELS[~half]).value / 2
