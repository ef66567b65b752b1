"""How a budget is divided between search and comparison."""

from itertools import product

import pytest

from hundredfold.studies.search import times
from hundredfold.studies.search.stopwatch import Stopwatch
from hundredfold.studies.search.times import Cost


def test_one_slot_takes_the_sum_and_many_the_longest() -> None:
    assert times.makespan([3.0, 4.0, 5.0], 1) == 12
    assert times.makespan([3.0, 4.0, 5.0], 3) == 5
    assert times.makespan([3.0, 4.0, 5.0], 2) == 8  # 5 follows 3


@pytest.mark.parametrize(("budget", "seconds", "slots"), list(product((60, 7200), (1, 60), (1, 4))))
def test_the_comparison_gets_three_seeds_unless_these_take_most_of_it(
    budget: float, seconds: float, slots: int
) -> None:
    cost = Cost(seconds, seconds)
    kept = times.reserve(budget, cost, slots)
    three = times.comparison(cost, 3, slots)
    assert kept == (three if three <= 0.6 * budget else kept)
    assert kept <= max(0.6 * budget, times.comparison(cost, 1, slots))


def test_seeds_fill_the_time_that_is_left_from_one_to_five() -> None:
    cost = Cost(10, 20)
    assert times.seeds(0, cost, 1) == 1
    assert times.seeds(67, cost, 1) == 2  # 2 x 30 s and a tenth
    assert times.seeds(100, cost, 1) == 3
    assert times.seeds(1e6, cost, 1) == 5


def test_the_smallest_budget_is_a_trial_and_one_pair() -> None:
    assert times.least(Cost(10, 10), 1) == pytest.approx(33)
    assert times.least(Cost(10, 10), 2) == pytest.approx(22)


def test_a_whole_training_is_estimated_from_its_first_epochs() -> None:
    watch = Stopwatch(10)
    assert watch.whole(0) is None
    watch.see(0, [{"epoch": 1, "seconds": 3.0}])
    seconds, sure = watch.whole(0) or (0.0, True)
    assert seconds >= 30 and not sure
    watch.see(0, [{"epoch": 1, "seconds": 3.0}, {"epoch": 2, "seconds": 5.0}])
    seconds, sure = watch.whole(0) or (0.0, False)
    assert 25 <= seconds < 31 and sure
