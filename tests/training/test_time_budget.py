"""A time budget against training times that are made up, so that the clock is known."""

import pytest

from hundredfold.optim.resolutions import progressive
from hundredfold.training.time_budget import StepTimes, TimeBudget

BY_SIZE = {20: 1.0, 24: 2.0, 32: 4.0}


def _budget(seconds: float, validation: float = 0.0) -> TimeBudget:
    size = lambda progress: progressive(progress, 32, until=(0.2, 0.5))  # noqa: E731
    return TimeBudget(seconds, StepTimes(BY_SIZE, size, validation, epoch=50))


def _train(budget: TimeBudget, steps: int, slower_after: float, slower: float) -> float:
    """Walk through a training on a machine that becomes slower, and return its seconds."""
    spent, done = 0.0, 0
    while done < steps:
        spent += BY_SIZE[budget.times.size(done / steps)] * (
            slower if spent > slower_after else 1.0
        )
        done += 1
        steps = budget.steps(done, steps, spent)
    return spent


def test_a_training_takes_the_sum_of_its_steps_and_validations() -> None:
    times, longer = _budget(0).times, _budget(0, validation=7).times
    assert times.seconds(0, 100) == pytest.approx(20 * 1 + 30 * 2 + 50 * 4)
    assert times.seconds(40, 100) == pytest.approx(10 * 2 + 50 * 4)
    assert longer.seconds(0, 120) == pytest.approx(times.seconds(0, 120) + 3 * 7), (
        "two whole epochs and one that is cut short"
    )


@pytest.mark.parametrize("seconds", [10, 100, 5000])
@pytest.mark.parametrize("done", [0, 33])
def test_the_steps_that_fit_fill_the_time(seconds: int, done: int) -> None:
    times = _budget(seconds, validation=3).times
    steps = times.steps_within(done, seconds)
    assert times.seconds(done, steps) <= max(seconds, times.seconds(done, done + 1)) * 1.02
    assert times.seconds(done, steps + 3) > seconds * 0.97


def test_a_step_is_done_even_where_there_is_no_time() -> None:
    assert _budget(1).times.steps_within(12, -5.0) == 13


@pytest.mark.parametrize("slower", [0.5, 1.0, 1.7, 3.0])
def test_a_training_ends_in_time_though_the_machine_changes(slower: float) -> None:
    budget = _budget(3000)
    steps = budget.times.steps_within(0, 3000)
    spent = _train(budget, steps, slower_after=900, slower=slower)
    assert 0.95 * 3000 < spent < 1.05 * 3000


def test_a_machine_that_keeps_its_speed_keeps_its_plan() -> None:
    budget = _budget(3000)
    steps = budget.times.steps_within(0, 3000)
    spent = _train(budget, steps, slower_after=1e9, slower=1)
    assert spent == pytest.approx(budget.times.seconds(0, steps), rel=0.002)
