"""From values to a comparison: pair the seeds, correct the p values, judge."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from statistics import fmean, stdev

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
) -> Comparison:
    """Compare the systems of a study, each given as label -> seed -> value.

    images:  label -> seed -> one value an image (right or wrong, or its loss), in the same
             order of the same images for every run; used where two systems share one seed.
    words:   what sentences call the metric; its key where none are given.
    percent: write differences as points (0.021 as 2.1 points).
    within:  the metric's range; None where it has no largest value.

    Raises UsageError where a system has no run, DataError for a value that is not finite or
    for paired runs whose images differ in number.
    """
    systems = sorted(
        (_system(label, runs, within) for label, runs in values.items()),
        key=lambda system: -system.mean if higher_is_better else system.mean,
    )
    found = Comparison(metric, words or metric, higher_is_better, percent, tuple(systems))
    labels = [system.label for system in systems]
    pairs = [
        _paired(first, second, values, images or {}, higher_is_better)
        for first, second in combinations(labels, 2)
    ]
    found = replace(found, pairs=_corrected(pairs))
    return replace(found, pairs=tuple(_judged(pair, found) for pair in found.pairs))


def _system(label: str, runs: Mapping[int, float], within: tuple[float, float | None]) -> System:
    if not runs:
        raise UsageError(f"{label!r} has no finished run to compare", remedy="run the study again")
    for seed, value in runs.items():
        if not math.isfinite(value):
            raise DataError(
                f"the value of {label!r} with seed {seed} is not finite",
                found=str(value),
                remedy="leave this run out, or train it again with a smaller learning rate",
            )
    given = list(runs.values())
    if len(given) == 1:
        return System(label, given[0], None, 1, None, None)
    low, high = t_interval(given)
    least, most = within  # a t interval does not know that accuracies end at 0 and 1
    low, high = max(low, least), high if most is None else min(high, most)
    return System(label, fmean(given), stdev(given), len(given), low, high)


def _paired(first: str, second: str, values: Runs, images: Images, higher: bool) -> Pair:
    a, b = values[first], values[second]
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        difference = fmean(a.values()) - fmean(b.values())
        return Pair(first, second, difference, 0, 0, 0, verdict="no common seed")
    each = [a[seed] - b[seed] for seed in seeds]
    more, less = sum(d > 0 for d in each), sum(d < 0 for d in each)
    leads, trails = (more, less) if higher else (less, more)
    pair = Pair(first, second, fmean(each), len(seeds), leads, trails)
    if len(seeds) > 1:
        low, high = t_interval(each)
        return replace(pair, low=low, high=high, p=t_test(each))
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


def _judged(pair: Pair, found: Comparison) -> Pair:
    judged = replace(pair, verdict=_verdict(pair, found.higher_is_better))
    return replace(judged, sentence=sentence(judged, found))


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
