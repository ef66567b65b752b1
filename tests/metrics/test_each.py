"""Every metric against scikit-learn or figures worked out by hand."""

from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics as oracle

from hundredfold.errors import DataError, UsageError
from hundredfold.metrics import scores
from hundredfold.metrics.balanced_accuracy import balanced_accuracy
from hundredfold.metrics.brier import brier
from hundredfold.metrics.coarse_top_1 import coarse_top_1
from hundredfold.metrics.ece import ece
from hundredfold.metrics.loss import loss
from hundredfold.metrics.macro_f1 import macro_f1
from hundredfold.metrics.top_k import top_k

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.choice(8, 500, p=np.arange(1, 9) / 36)
LOGITS = GENERATOR.normal(size=(500, 8)) + 1.5 * np.eye(8)[LABELS]
PREDICTED = LOGITS.argmax(axis=1)
CHANCES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_top_k_is_scikit_learns(k):
    expected = oracle.top_k_accuracy_score(LABELS, LOGITS, k=k, labels=range(8))
    assert top_k(LOGITS, LABELS, k=k).value == pytest.approx(expected)


def test_equal_logits_go_by_the_order_of_classes_as_argmax_has_it():
    labels = np.arange(4)
    actual = [top_k(np.zeros((4, 4)), labels, k=k).value for k in (1, 2, 3, 4)]
    assert actual == [0.25, 0.5, 0.75, 1.0]


def test_top_0_is_refused():
    with pytest.raises(UsageError, match="k is a number from 1"):
        scores(LOGITS, LABELS, metrics={"m": "top_k(k=0)"})


def test_loss_is_scikit_learns():
    assert loss(LOGITS, LABELS).value == pytest.approx(oracle.log_loss(LABELS, CHANCES))


def test_guessing_costs_the_logarithm_of_the_classes():
    assert loss(np.zeros((3, 100)), [0, 50, 99]).value == pytest.approx(4.605170186)


def test_loss_of_a_sure_mistake_is_the_distance_of_the_logits():
    assert loss([[1e4, 0.0], [1e4, 0.0]], [1, 1]).value == 1e4


def test_brier_is_scikit_learns_twice_for_two_classes():
    expected = 2 * oracle.brier_score_loss(LABELS > 3, CHANCES[:, 4:].sum(axis=1))
    two = np.log(np.stack([CHANCES[:, :4].sum(axis=1), CHANCES[:, 4:].sum(axis=1)], axis=1))
    assert brier(two, (LABELS > 3).astype(int)).value == pytest.approx(expected)


def test_brier_of_a_sure_mistake_is_2():
    assert brier([[1e3, 0.0], [1e3, 0.0]], [1, 1]).value == 2


def test_macro_f1_is_scikit_learns():
    expected = oracle.f1_score(LABELS, PREDICTED, average="macro")
    assert macro_f1(LOGITS, LABELS).value == pytest.approx(expected)


def test_macro_f1_leaves_out_classes_that_never_occur():
    logits = np.concatenate([LOGITS, np.full((500, 2), -9.0)], axis=1)
    assert macro_f1(logits, LABELS).value == macro_f1(LOGITS, LABELS).value


def test_balanced_accuracy_is_scikit_learns():
    expected = oracle.balanced_accuracy_score(LABELS, PREDICTED)
    assert balanced_accuracy(LOGITS, LABELS).value == pytest.approx(expected)


def test_balanced_accuracy_is_top_1_where_classes_are_equally_many():
    labels = np.arange(400) % 8
    logits = GENERATOR.normal(size=(400, 8)) + np.eye(8)[labels]
    assert balanced_accuracy(logits, labels).value == pytest.approx(top_k(logits, labels).value)


GROUPS = (0, 0, 1, 1, 2, 2, 2, 2)


def test_coarse_top_1_scores_the_superclass_of_the_prediction():
    group = np.array(GROUPS)
    expected = oracle.accuracy_score(group[LABELS], group[PREDICTED])
    assert coarse_top_1(LOGITS, LABELS, GROUPS).value == pytest.approx(expected)


def test_summed_probabilities_can_prefer_another_superclass():
    logits = np.log([[0.4, 0.3, 0.3]])  # the likeliest class is 0, the likeliest superclass 1
    assert coarse_top_1(logits, [1], (0, 1, 1)).value == 0
    assert coarse_top_1(logits, [1], (0, 1, 1), summed=True).value == 1


def test_superclasses_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="superclasses do not fit 8 classes"):
        coarse_top_1(LOGITS, LABELS, (0, 1))


def test_calibration_error_of_a_worked_example():
    # confidence 0.9, 0.9, 0.6, 0.6; right 1, 0, 1, 1: (2 |1/2 - 0.9| + 2 |1 - 0.6|) / 4 = 0.4
    logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert ece(logits, [0, 1, 0, 0], bins=5).value == pytest.approx(0.4)


def test_calibration_error_of_one_bin_is_confidence_less_accuracy():
    expected = abs(CHANCES.max(axis=1).mean() - (PREDICTED == LABELS).mean())
    assert ece(LOGITS, LABELS, bins=1).value == pytest.approx(expected)


@pytest.mark.parametrize("adaptive", [False, True])
def test_calibration_error_follows_its_definition(adaptive):
    confidence, right = CHANCES.max(axis=1), PREDICTED == LABELS
    ends = np.quantile(confidence, np.arange(16) / 15) if adaptive else np.arange(16) / 15
    ends[0] = 0
    expected = 0.0
    for low, high in pairwise(ends):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert ece(LOGITS, LABELS, adaptive=adaptive).value == pytest.approx(expected)


def test_no_bins_are_refused():
    with pytest.raises(UsageError, match="bins=0"):
        scores(LOGITS, LABELS, metrics={"m": "ece(bins=0)"})


@pytest.mark.parametrize("labels", [LABELS.astype(float), LABELS[:, None], LABELS.astype(bool)])
def test_labels_of_another_kind_are_refused(labels):
    with pytest.raises(DataError):
        top_k(LOGITS, labels)
