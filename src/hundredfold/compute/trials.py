"""A timing trial of two functions, on a machine that other processes may use too.

The two take turns, and each round gives a ratio. A competing process slows both of a round or
spoils a few rounds; the median and the spread of the middle half show that. The trial goes on
until the rounds agree, or until its time is up.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

SECONDS = 3.0  # that a trial takes at most, but for its last round
_ROUNDS = 7  # at least, before they can agree
_CLOSE = 0.25  # of the median: the spread of the middle half of rounds that agree
_LEAST = 0.01  # seconds of one measurement: shorter functions are called several times
_MOST_CALLS = 1000

Clock = Callable[[], float]


@dataclass(frozen=True)
class Trial:
    """How many times as fast the second function is, and whether the rounds agree on that."""

    ratio: float
    agreed: bool


def compare(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    seconds: float = SECONDS,
    clock: Clock = time.perf_counter,
) -> Trial:
    """Time two functions in turn and return the median over rounds of first over second.

    Each is called once before, untimed. seconds: the limit. clock: gives seconds.
    """
    first()
    second()
    shorter = min(_timed(first, 1, clock), _timed(second, 1, clock))
    calls = min(_MOST_CALLS, math.ceil(_LEAST / max(shorter, _LEAST / _MOST_CALLS)))
    end, ratios = clock() + seconds, list[float]()
    while True:
        if len(ratios) % 2:  # the order changes: a slow drift cancels out
            after, before = _timed(second, calls, clock), _timed(first, calls, clock)
        else:
            before, after = _timed(first, calls, clock), _timed(second, calls, clock)
        ratios.append(before / max(after, 1e-9))
        agreed = len(ratios) >= _ROUNDS and _agree(ratios)
        if agreed or clock() >= end:
            return Trial(median(ratios), agreed)


def _agree(ratios: list[float]) -> bool:
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return high - low <= _CLOSE * middle


def _timed(function: Callable[[], object], calls: int, clock: Clock) -> float:
    began = clock()
    for _ in range(calls):
        function()
    return clock() - began
