"""How much each option mattered among the trials, with an interval.

The trials are ranked: one that came further is above one that was stopped earlier, then by accuracy
at its last rung. An option's importance is the share of the variance of these ranks that a parabola
over the option explains alone, corrected for the number of its terms (adjusted R squared, at least
0); for choices, that their means explain. The interval is between the 2.5th and the 97.5th
percentile of 1,000 samples of the trials with replacement (Efron 1979, Ann. Statist. 7, 1-26).

Shares of several options may add up to more or less than 1: trials that TPE chooses are not spread
evenly, and options act together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.studies.search.journal import Trial
from hundredfold.studies.search.space import Dimension

_SAMPLES = 1000
_LEAST = 6  # trials below which nothing is said
_ENDS = (2.5, 97.5)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """The share of variance of an option, in [0, 1], and its 95 % interval."""

    option: str
    value: float
    low: float
    high: float


def importances(trials: Sequence[Trial], space: Sequence[Dimension]) -> list[Importance]:
    """Return the importance of each option, the largest first; [] for fewer than six trials."""
    counted = [t for t in trials if t.rungs or t.score is not None]
    if len(counted) < _LEAST:
        return []
    ranks = _ranks(counted)
    generator = np.random.default_rng(0)
    samples = generator.integers(len(counted), size=(_SAMPLES, len(counted)))
    found = []
    for dimension in space:
        terms = _terms([t.values[dimension.option] for t in counted], dimension)
        shares = [_share(terms[rows], ranks[rows]) for rows in samples]
        low, high = np.percentile(shares, _ENDS)
        value = _share(terms, ranks)
        found.append(
            Importance(dimension.option, value, min(float(low), value), max(float(high), value))
        )
    return sorted(found, key=lambda importance: -importance.value)


def _ranks(trials: Sequence[Trial]) -> Floats:
    """Return the rank of each trial, from 0 for the worst; equal ones share their mean."""
    keys = [_reached(trial) for trial in trials]
    below = [sum(other < key for other in keys) for key in keys]
    equal = [keys.count(key) for key in keys]
    return np.array([b + (e - 1) / 2 for b, e in zip(below, equal, strict=True)])


def _reached(trial: Trial) -> tuple[float, float]:
    if trial.score is not None:
        return math.inf, trial.score
    return max(trial.rungs.items())


def _terms(values: Sequence[object], dimension: Dimension) -> Floats:
    """Return the columns that explain: x and its square, or one for each choice but the first."""
    if dimension.choices:
        columns = [[float(v == choice) for v in values] for choice in dimension.choices[1:]]
        return np.array(columns).T
    numbers = np.array(values, dtype=np.float64)
    x = np.log(numbers) if dimension.log else numbers
    low, high = (math.log(b) if dimension.log else b for b in (dimension.low, dimension.high))
    x = 2 * (x - low) / (high - low) - 1
    return np.stack([x, x * x], axis=1)


def _share(terms: Floats, ranks: Floats) -> float:
    """Return adjusted R squared of ranks by terms, in [0, 1]."""
    total = float(((ranks - ranks.mean()) ** 2).sum())
    design = np.column_stack([np.ones(len(ranks)), terms])
    weights, _, rank, _ = np.linalg.lstsq(design, ranks, rcond=None)
    free = len(ranks) - int(rank)
    if total == 0 or free < 1:
        return 0.0
    rest = float(((ranks - design @ weights) ** 2).sum())
    return min(max(1 - (rest / free) / (total / (len(ranks) - 1)), 0.0), 1.0)
