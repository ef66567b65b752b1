"""A timing trial of two functions, on a machine that other processes may use too.

Calls of the two are interleaved, and each round yields a ratio. A competing process slows both
functions of a round or disturbs a few rounds, so the result is the median ratio. Rounds agree when
the interquartile range is small. The trial ends when they agree, or at its time limit.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

SECONDS = 3.0  # limit of a trial, apart from its last round
_ROUNDS = 7  # at least, before rounds can agree
_CLOSE = 0.25  # of the median: largest interquartile range of rounds that agree
_LEAST = 0.01  # seconds of one measurement: shorter functions are called several times
_MOST_CALLS = 1000

Clock = Callable[[], float]


@dataclass(frozen=True)
class Trial:
    """Result: how many times as fast the second function is, and whether the rounds agree."""

    ratio: float
    agreed: bool


def compare(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    seconds: float = SECONDS,
    clock: Clock = time.perf_counter,
) -> Trial:
    """Time two functions, interleaved, and return the median ratio of first over second.

    Each is called once before to warm up. seconds: the limit. clock: returns seconds.
    """
    first()
    second()
    shorter = min(_timed(first, 1, clock), _timed(second, 1, clock))
    calls = min(_MOST_CALLS, math.ceil(_LEAST / max(shorter, _LEAST / _MOST_CALLS)))
    deadline, ratios = clock() + seconds, list[float]()
    while True:
        if len(ratios) % 2:  # alternating order cancels a slow drift
            of_second, of_first = _timed(second, calls, clock), _timed(first, calls, clock)
        else:
            of_first, of_second = _timed(first, calls, clock), _timed(second, calls, clock)
        ratios.append(of_first / max(of_second, 1e-9))
        agreed = len(ratios) >= _ROUNDS and _agree(ratios)
        if agreed or clock() >= deadline:
            return Trial(median(ratios), agreed)


def _agree(ratios: list[float]) -> bool:
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return high - low <= _CLOSE * middle


def _timed(function: Callable[[], object], calls: int, clock: Clock) -> float:
    began = clock()
    for _ in range(calls):
        function()
    return clock() - began
