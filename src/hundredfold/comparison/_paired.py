"""Intervals and p values of a mean and of a paired difference."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

import numpy as np
from numpy.typing import NDArray

from hundredfold.comparison._tails import binomial_tail, student_critical, student_tail

LEVEL = 0.05


def t_interval(values: Sequence[float], folds: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean of two or more values (Student 1908).

    folds: of cross-validation that the values are of; 0 for independent ones.
    """
    mean = fmean(values)
    half = student_critical(LEVEL, len(values) - 1) * _error(values, folds)
    return mean - half, mean + half


def t_test(values: Sequence[float], folds: int = 0) -> float:
    """Return the two-sided p value of "the mean is 0" for two or more values."""
    mean, error = fmean(values), _error(values, folds)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return student_tail(mean / error, len(values) - 1)


def _error(values: Sequence[float], folds: int) -> float:
    """Return the standard error of a mean.

    Trainings of different folds share most of their images, so their scores are not independent:
    to 1 / n is added the ratio of validation to training images (Nadeau and Bengio 2003, Machine
    Learning 52, 239-281).
    """
    shared = 1 / (folds - 1) if folds else 0.0
    return stdev(values) * math.sqrt(1 / len(values) + shared)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p value of McNemar's test (1947, Psychometrika 12, 153-157).

    only_first, only_second: number of images that only one of two classifiers has correct.
    """
    fewer, total = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * binomial_tail(fewer, total))


def over_images(difference: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return low, high and p of the mean of paired differences, (images,).

    For correctness, with differences -1, 0 or 1, the interval is that of Agresti and Min (2005,
    Statistics in Medicine 24, 729-740) and p is McNemar's exact one. That interval adds half an
    image to each cell, so it has a width even where no image differs. Other differences get the
    normal interval.
    """
    squares, size = float((difference**2).sum()), len(difference)
    binary = bool(np.isin(difference, (-1.0, 0.0, 1.0)).all())
    if binary:
        squares, size = squares + 1, size + 2
    mean = float(difference.sum()) / size
    error = math.sqrt(max(squares / size - mean**2, 0.0) / size)
    half = NormalDist().inv_cdf(1 - LEVEL / 2) * error
    if binary:
        p = mcnemar(int((difference > 0).sum()), int((difference < 0).sum()))
        return max(mean - half, -1.0), min(mean + half, 1.0), p
    p = math.erfc(abs(mean) / error / math.sqrt(2)) if error else float(mean == 0)
    return mean - half, mean + half, p


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979, Scand. J. Statistics 6, 65-70).

    Each is multiplied by the number of p values that are not smaller. The corrected values keep
    the order of the original ones.
    """
    corrected, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = floor
    return corrected
