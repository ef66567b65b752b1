"""Values become pixels, and ticks are round."""

import math

import pytest

from hundredfold.reports import charts


def test_ticks_are_round_and_inside() -> None:
    assert charts.Scale(0, 1).ticks() == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    for low, high in ((0.013, 0.94), (3.1, 1234.5), (-0.02, 0.01), (7, 7.0001)):
        found = charts.Scale(low, high).ticks()
        assert 3 <= len(found) <= 8
        assert low <= min(found) <= max(found) <= high
    assert charts.Scale(0.5, 2000, logarithmic=True).ticks() == [1, 10, 100, 1000]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_ends_of_a_scale_are_the_edges_of_the_frame(logarithmic: bool) -> None:
    scale = charts.Scale(2.0, 50.0, logarithmic)
    frame = charts.Frame(scale, scale, 300, 200, (10, 20, 30, 40))
    assert frame.at(2.0, 2.0) == (40, 170)
    assert frame.at(50.0, 50.0) == pytest.approx((280, 10))
    middle = math.sqrt(2 * 50) if logarithmic else 26.0
    assert frame.at(middle, middle) == pytest.approx((160, 90))


def test_a_scale_of_one_value_stands_in_the_middle() -> None:
    assert charts.Scale(3.0, 3.0).fraction(3.0) == 0.5


def test_a_row_scale_begins_at_the_top() -> None:
    rows = charts.row_scale(3)
    assert rows.fraction(0) > rows.fraction(1) > rows.fraction(2)
