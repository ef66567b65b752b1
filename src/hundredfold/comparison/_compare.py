"""Compute a comparison: pair the seeds, correct the p values, decide the verdicts."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.comparison._paired import LEVEL, holm, over_images, t_interval, t_test
from hundredfold.comparison._types import ENOUGH_SEEDS, Comparison, Pair, System, Verdict
from hundredfold.comparison._wording import sentence
from hundredfold.errors import DataError, UsageError

Runs = Mapping[str, Mapping[int, float]]
Images = Mapping[str, Mapping[int, ArrayLike]]


def compare(
    values: Runs,
    *,
    images: Images | None = None,
    metric: str = "top_1",
    words: str = "",
    higher_is_better: bool = True,
    percent: bool = True,
    within: tuple[float, float | None] = (0, 1),
    folds: int = 0,
) -> Comparison:
    """Return the comparison of the systems of a study.

    values:  label -> seed -> score.
    images:  label -> seed -> (n,), one value per image: whether it is correct, or its loss. All
             runs need the same images in the same order. Used where two systems have one
             common seed.
    metric:  the key of the score.
    words:   the name of the metric in sentences; "" takes its key.
    percent: write differences as points (0.021 as 2.1 points).
    within:  the range of the metric; None where it has no largest value.
    folds:   of cross-validation; each "seed" of `values` is then a fold of a seed. 0 without.

    Raises UsageError where a system has no run. Raises DataError for a value that is not finite,
    and for paired runs with different numbers of images.
    """
    systems = sorted(
        (_system(label, runs, within, folds) for label, runs in values.items()),
        key=lambda system: -system.mean if higher_is_better else system.mean,
    )
    comparison = Comparison(
        metric, words or metric, higher_is_better, percent, tuple(systems), folds=folds
    )
    labels = [system.label for system in systems]
    pairs = [
        _paired(first, second, values, images or {}, higher_is_better, folds)
        for first, second in combinations(labels, 2)
    ]
    comparison = replace(comparison, pairs=_corrected(pairs))
    return replace(comparison, pairs=tuple(_judged(pair, comparison) for pair in comparison.pairs))


def _system(
    label: str, runs: Mapping[int, float], within: tuple[float, float | None], folds: int
) -> System:
    if not runs:
        raise UsageError(f"{label!r} has no finished run to compare", remedy="run the study again")
    for seed, value in runs.items():
        if not math.isfinite(value):
            raise DataError(
                f"the value of {label!r} with seed {seed} is not finite",
                found=str(value),
                remedy="leave this run out, or train it again with a smaller learning rate",
            )
    values = list(runs.values())
    if len(values) == 1:
        return System(label, values[0], None, 1, None, None)
    low, high = t_interval(values, folds)
    least, most = within  # a t interval may exceed the range of the metric
    low, high = max(low, least), high if most is None else min(high, most)
    return System(label, fmean(values), stdev(values), len(values), low, high)


def _paired(
    first: str, second: str, values: Runs, images: Images, higher: bool, folds: int
) -> Pair:
    a, b = values[first], values[second]
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        difference = fmean(a.values()) - fmean(b.values())
        return Pair(first, second, difference, 0, 0, 0, verdict="no common seed")
    differences = [a[seed] - b[seed] for seed in seeds]
    more, less = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    leads, trails = (more, less) if higher else (less, more)
    pair = Pair(first, second, fmean(differences), len(seeds), leads, trails)
    if len(seeds) > 1:
        low, high = t_interval(differences, folds)
        basis: Literal["seeds", "folds"] = "folds" if folds else "seeds"
        return replace(pair, basis=basis, low=low, high=high, p=t_test(differences, folds))
    if all(seeds[0] in images.get(label, {}) for label in (first, second)):
        low, high, p = over_images(_image_difference(first, second, images, seeds[0]))
        return replace(pair, basis="images", low=low, high=high, p=p)
    return pair


def _image_difference(first: str, second: str, images: Images, seed: int) -> NDArray[np.float64]:
    a, b = (np.asarray(images[label][seed], dtype=np.float64) for label in (first, second))
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise DataError(
            f"{first!r} and {second!r} cannot be paired over images",
            found=f"{a.size} and {b.size} images",
            remedy="evaluate both on the same split",
        )
    return a - b


def _corrected(pairs: list[Pair]) -> tuple[Pair, ...]:
    left = iter(holm([pair.p for pair in pairs if pair.p is not None]))
    return tuple(pair if pair.p is None else replace(pair, p_holm=next(left)) for pair in pairs)


def _judged(pair: Pair, comparison: Comparison) -> Pair:
    judged = replace(pair, verdict=_verdict(pair, comparison.higher_is_better))
    return replace(judged, sentence=sentence(judged, comparison))


def _verdict(pair: Pair, higher: bool) -> Verdict:
    if pair.verdict == "no common seed":
        return pair.verdict
    favours_first = (pair.difference > 0) == higher
    if pair.seeds >= ENOUGH_SEEDS:
        if _shown(pair):
            return "better" if favours_first else "worse"
        return "not distinguishable"
    if pair.basis == "images" and not _shown(pair):
        return "not distinguishable"
    if pair.seeds in (pair.leads, pair.trails):
        return "ahead" if favours_first else "behind"
    return "not distinguishable"


def _shown(pair: Pair) -> bool:
    return pair.excludes_zero and pair.p_holm is not None and pair.p_holm < LEVEL
