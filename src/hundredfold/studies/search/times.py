"""How the time of a budget is divided between the search and the comparison at its end."""

import heapq
import math
from dataclasses import dataclass

SEEDS = 3  # of each recipe in the comparison, as far as the budget allows
MOST_SEEDS = 5  # where time is left
_COMPARED = 0.6  # of a budget: the comparison takes fewer seeds before it takes more time
_MARGIN = 1.1  # of estimated times


@dataclass(frozen=True)
class Cost:
    """Estimated seconds of a whole training of the untuned recipe, and of the best trial's."""

    untuned: float
    tuned: float


def makespan(seconds: list[float], slots: int) -> float:
    """Return how long jobs take that are begun in their order, `slots` of them concurrently."""
    free = [0.0] * max(1, slots)
    for duration in seconds:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


def comparison(cost: Cost, seeds: int, slots: int) -> float:
    """Return the estimated seconds of a comparison with so many seeds of both recipes."""
    return _MARGIN * makespan([cost.tuned, cost.untuned] * seeds, slots)


def reserve(budget: float, cost: Cost, slots: int) -> float:
    """Return the seconds of a budget that are kept for the comparison.

    It has three seeds of each recipe, or fewer where these would take most of the budget.
    """
    for seeds in range(SEEDS, 1, -1):
        needed = comparison(cost, seeds, slots)
        if needed <= _COMPARED * budget:
            return needed
    return comparison(cost, 1, slots)


def least(cost: Cost, slots: int) -> float:
    """Return the seconds of the smallest budget: one trial, and a comparison with one seed."""
    return _MARGIN * cost.untuned + comparison(cost, 1, slots)


def seeds(left: float, cost: Cost, slots: int) -> int:
    """Return how many seeds of both recipes fit in the seconds that are left, from 1 to 5."""
    fit = [n for n in range(1, MOST_SEEDS + 1) if comparison(cost, n, slots) <= left]
    return max(fit, default=1)


def whole(seconds: float, epoch: float, epochs: float) -> float:
    """Return the estimated seconds of a training that has taken so many for its first epochs."""
    return seconds * max(math.ceil(epochs) / max(epoch, 1.0), 1.0)
