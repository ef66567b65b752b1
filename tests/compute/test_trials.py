"""Timing trials with a simulated clock: when rounds agree, and on which ratio."""

import random
from collections.abc import Callable

import pytest

from hundredfold.compute.trials import SECONDS, Trial, compare


class Machine:
    """A simulated clock, and functions that advance it."""

    def __init__(self) -> None:
        self.now, self.calls = 100.0, 0

    def clock(self) -> float:
        return self.now

    def taking(self, seconds: Callable[[], float]) -> Callable[[], None]:
        def function() -> None:
            self.calls += 1
            self.now += seconds()

        return function

    def compare(self, first: Callable[[], float], second: Callable[[], float]) -> Trial:
        return compare(self.taking(first), self.taking(second), clock=self.clock)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 2.5])
def test_steady_functions_agree_after_a_few_rounds(ratio: float) -> None:
    machine = Machine()
    trial = machine.compare(lambda: 0.05 * ratio, lambda: 0.05)
    assert trial.agreed and trial.ratio == pytest.approx(ratio)
    assert machine.now - 100 < SECONDS


def test_a_few_disturbed_rounds_do_not_change_the_ratio() -> None:
    chance = random.Random(0)
    slow = lambda: 0.05 * (20 if chance.random() < 0.1 else 1)  # noqa: E731
    trial = Machine().compare(lambda: 0.1, slow)
    assert trial.agreed and trial.ratio == pytest.approx(2.0, rel=0.1)


def test_a_machine_that_slows_down_over_time_moves_the_ratio_little() -> None:
    machine = Machine()
    slower = lambda: 0.02 * 1.05 ** (machine.now - 100)  # noqa: E731
    trial = machine.compare(lambda: 2 * slower(), slower)
    assert trial.agreed and trial.ratio == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_rounds_that_never_agree_end_at_the_limit_and_report_it(seed: int) -> None:
    chance, machine = random.Random(seed), Machine()
    noisy = lambda: 0.05 * chance.lognormvariate(0, 1.5)  # noqa: E731
    trial = machine.compare(noisy, noisy)
    assert not trial.agreed
    assert SECONDS <= machine.now - 100 < 2 * SECONDS + 3


def test_short_functions_are_timed_many_times_over() -> None:
    machine = Machine()
    assert machine.compare(lambda: 2e-6, lambda: 1e-6).ratio == pytest.approx(2.0)
    assert machine.calls >= 5000


def test_functions_too_slow_for_enough_rounds_are_not_agreed_on() -> None:
    machine = Machine()
    trial = machine.compare(lambda: 4.0, lambda: 2.0)
    assert trial == Trial(2.0, agreed=False)
