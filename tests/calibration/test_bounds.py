"""Temperature, unknown-score, bounds of it and label sets, against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hundredfold import calibration
from hundredfold.calibration import Calibration, LabelSets, Rejection
from hundredfold.errors import UsageError


def _draw(n: int, classes: int, seed: int, sharp: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits times `sharp`, and labels drawn from the softmax of the logits."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 2, (n, classes))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (chance.random((n, 1)) > shares.cumsum(1)).sum(1).clip(0, classes - 1)
    return (sharp * logits).astype(np.float32), labels


@pytest.mark.parametrize("sharp", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_scale_of_the_logits(sharp: float) -> None:
    found = calibration.scaled(*_draw(20_000, 10, 1, sharp))
    assert found.temperature == pytest.approx(sharp, rel=0.05)
    assert (found.n, found.reason) == (20_000, "")


def test_a_temperature_that_nothing_fits_stays_at_one_and_says_why() -> None:
    logits, labels = _draw(100, 5, 2)
    few = calibration.scaled(logits[:29], labels[:29])
    assert (few.temperature, few.n) == (1.0, 29)
    assert few.reason == "29 validation images are too few for a temperature: it takes 30"
    every = calibration.scaled(logits, logits.argmax(1))
    assert (every.temperature, every.n) == (1.0, 100)
    assert "all 100 validation images are predicted correctly" in every.reason


def test_probabilities_are_the_softmax_of_logits_over_the_temperature() -> None:
    logits, _ = _draw(50, 7, 3)
    wide = logits.astype(np.longdouble) / 2.5
    wanted = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    np.testing.assert_allclose(Calibration(2.5).probabilities(logits), wanted, rtol=1e-6)
    huge = Calibration().probabilities(np.array([[3e38, -3e38]], np.float32))
    np.testing.assert_array_equal(huge, [[1, 0]])


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_unknown_goes_from_zero_for_certainty_to_one_for_equal_chances(classes: int) -> None:
    sure = np.eye(classes)[:1]
    assert calibration.unknown(sure)[0] == 0
    assert calibration.unknown(np.full((1, classes), 1 / classes))[0] == pytest.approx(1)
    assert calibration.unknown([[1.0]])[0] == 0, "of one class"


def test_unknown_is_the_entropy_of_its_paper_on_the_most_probable_classes() -> None:
    logits, _ = _draw(20, 300, 4)
    shares = Calibration().probabilities(logits).astype(np.float64)
    got = calibration.unknown(shares)
    for row, value in zip(shares, got, strict=True):
        top = sorted(row)[-100:]
        wanted = sum(p**0.1 * (1 - p) ** 0.1 for p in top) / (100 * (0.01 * 0.99) ** 0.1)
        assert value == pytest.approx(wanted, rel=1e-6)


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=20, max_size=60),
       st.sampled_from([0.3, 0.5, 0.8, 0.95]))  # fmt: skip
def test_an_accuracy_bound_accepts_the_most_images_that_reach_it(
    images: list[tuple[int, bool]], wanted: float
) -> None:
    values = np.array([value / 12 for value, _ in images])
    right = np.array([correct for _, correct in images])
    possible = [
        int((values <= bound).sum())
        for bound in values
        if (values <= bound).sum() >= 20 and right[values <= bound].mean() >= wanted
    ]
    if not possible:
        with pytest.raises(UsageError, match="no bound reaches"):
            calibration.rejection(f"accuracy={wanted}", values, right)
        return
    found = calibration.rejection(f"accuracy={wanted}", values, right)
    assert (~found.rejects(values)).sum() == max(possible)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60),
       st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.999]))  # fmt: skip
def test_a_coverage_bound_accepts_so_many_images_and_no_more_than_ties_ask(
    given_values: list[int], wanted: float
) -> None:
    values = np.array(given_values) / 12
    found = calibration.rejection(f"coverage={wanted}", values, values > 0)
    accepted = values[~found.rejects(values)]
    assert len(accepted) >= math.ceil(wanted * len(values) - 1e-9)
    without_last = accepted[accepted < accepted.max()]
    assert len(without_last) < math.ceil(wanted * len(values) - 1e-9)


def test_a_target_out_of_reach_is_a_sentence_with_what_can_be_reached() -> None:
    values, right = np.linspace(0, 1, 100), np.arange(100) % 4 > 0
    with pytest.raises(UsageError, match=r"no bound reaches an accuracy of 99\.0 %") as caught:
        calibration.rejection("accuracy=0.99", values, right)
    assert caught.value.exit_code == 2
    assert caught.value.remedy.startswith("--reject-at accuracy=0.7")
    with pytest.raises(UsageError, match="from 12 validation images"):
        calibration.rejection("accuracy=0.5", values[:12], right[:12])


@pytest.mark.parametrize(
    "rule", ["accuracy", "accuracy=", "accuracy=1", "coverage=0", "coverage=nan", "x=0.5", "0.95",
             "accuracy=95", "accuracy=-0.5", "accuracy=0,9"])  # fmt: skip
def test_another_rule_is_refused_with_an_example(rule: str) -> None:
    with pytest.raises(UsageError, match="is no rule") as caught:
        calibration.rejection(rule, [0.5], [True])
    assert "accuracy=0.95 or coverage=0.95" in caught.value.remedy


def test_a_label_set_holds_every_class_above_the_threshold_and_the_best_one() -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.36, 0.34, 0.3], [0.1, 0.1, 0.8]])
    inside = LabelSets(0.9, 0.3).members(shares)
    np.testing.assert_array_equal(inside, [[1, 1, 0], [1, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(LabelSets(0.1, 0.9).members(shares).sum(1), 1)


def test_the_threshold_of_sets_is_the_finite_sample_quantile() -> None:
    own = np.arange(1, 20) / 20  # 19 probabilities of the true class
    shares = np.stack([own, 1 - own], axis=1)
    found = calibration.label_sets(0.9, shares, np.zeros(19, int))
    assert found == LabelSets(0.9, own[1])  # the 18th of 20, from above
    exact = calibration.label_sets(0.95, shares, np.zeros(19, int))
    assert exact.threshold == own[0]
    with pytest.raises(UsageError, match="needs more validation images") as caught:
        calibration.label_sets(0.96, shares, np.zeros(19, int))
    assert caught.value.found == "19 of at least 24"


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, 1.5, math.nan])
def test_a_coverage_outside_its_range_is_refused(coverage: float) -> None:
    with pytest.raises(UsageError, match="is no coverage"):
        calibration.label_sets(coverage, np.eye(2), [0, 1])


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("n", [30, 200])
def test_sets_cover_the_true_class_as_often_as_stated(coverage: float, n: int) -> None:
    """Split conformal: the mean over draws lies in [coverage, coverage + 1 / (n + 1)].

    Sets always hold the best class, which can only cover more; so the upper end is not tested
    where that binds. 400 draws of n + 1,000 images; the interval has five standard errors.
    """
    covered = []
    for seed in range(400):
        logits, labels = _draw(n + 1000, 8, 100 + seed, sharp=0.5)
        fitted = calibration.scaled(logits[:n], labels[:n])
        shares = fitted.probabilities(logits)
        sets = calibration.label_sets(coverage, shares[:n], labels[:n])
        own = shares[n:][np.arange(1000), labels[n:]]
        inside = sets.members(shares[n:])[np.arange(1000), labels[n:]]
        assert (inside >= (own >= sets.threshold)).all()
        covered.append((own >= sets.threshold).mean())
    error = 5 * np.std(covered) / math.sqrt(len(covered))
    assert coverage - error <= np.mean(covered) <= coverage + 1 / (n + 1) + error


def test_a_bound_on_validation_holds_on_further_images_but_for_chance() -> None:
    """Accuracy of accepted images, 200 draws of 2,000 and 2,000 images."""
    reached = []
    for seed in range(200):
        logits, labels = _draw(4000, 8, seed)
        shares, right = Calibration().probabilities(logits), logits.argmax(1) == labels
        unknown = calibration.unknown(shares)
        bound = calibration.rejection("accuracy=0.7", unknown[:2000], right[:2000])
        accepted = ~bound.rejects(unknown[2000:])
        reached.append(right[2000:][accepted].mean())
    assert np.mean(reached) == pytest.approx(0.7, abs=0.01)
    assert isinstance(bound, Rejection)
