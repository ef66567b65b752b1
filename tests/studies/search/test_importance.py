"""Importance of options: one that decides is told from one that does nothing."""

import numpy as np

from hundredfold.studies.search.importance import importances
from hundredfold.studies.search.journal import Trial
from hundredfold.studies.search.space import Dimension

SPACE = (
    Dimension("optimizer.lr", 1e-3, 1.0, log=True),
    Dimension("loss.label_smoothing", 0.0, 0.2),
    Dimension("schedule", choices=("cosine", "linear")),
)


def trials_of(count: int) -> list[Trial]:
    """Trials whose accuracy is a parabola of the rate's logarithm; every third is finished."""
    draws = np.random.default_rng(3)
    found = []
    for number in range(count):
        rate = float(10 ** draws.uniform(-3, 0))
        values = {
            "optimizer.lr": rate,
            "loss.label_smoothing": float(draws.uniform(0, 0.2)),
            "schedule": ("cosine", "linear")[int(draws.integers(2))],
        }
        accuracy = 0.8 - 0.1 * (np.log10(rate) + 1.2) ** 2
        found.append(Trial(number, "stopped", values, {1: accuracy}, None, 1.0, ""))
    return found


def test_the_option_that_decides_is_first_and_its_interval_is_above_the_others() -> None:
    first, *others = importances(trials_of(40), SPACE)
    assert first.option == "optimizer.lr"
    assert first.value > 0.7 and first.low > max(other.value for other in others)
    for one in (first, *others):
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_few_trials_say_little_or_nothing() -> None:
    assert importances(trials_of(5), SPACE) == []
    few, many = (importances(trials_of(n), SPACE)[0] for n in (7, 60))
    assert few.high - few.low > many.high - many.low


def test_trials_that_are_equal_tell_nothing() -> None:
    same = [Trial(k, "stopped", t.values, {1: 0.5}, None, 1.0, "") for k, t in
            enumerate(trials_of(12))]  # fmt: skip
    assert [one.value for one in importances(same, SPACE)] == [0, 0, 0]
