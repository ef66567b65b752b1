"""Curves and their names."""

import itertools
import math

from hundredfold.reports import charts


def test_names_of_curves_never_touch() -> None:
    moved = charts.apart([50, 51, 51.5, 200], 14, 0, 300)
    assert all(b - a >= 14 for a, b in itertools.pairwise(moved))
    assert max(charts.apart([298, 299, 300], 14, 0, 300)) <= 300


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    scale = charts.Scale(0, 3)
    frame = charts.Frame(scale, scale, 300, 300, (0, 0, 0, 0))
    drawn = charts.curves(frame, [charts.Line([0, 1, 2, 3], [0, 1, math.nan, 3], colour=0)])
    assert 'd="M0 300L100 200M300 0"' in drawn
