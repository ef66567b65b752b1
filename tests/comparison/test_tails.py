"""Tails of distributions, with SciPy, closed forms and whole numbers as oracles."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from hundredfold.comparison._tails import binomial_tail, student_critical, student_tail

few = st.integers(1, 300)  # degrees of freedom, of one score a seed
many = st.integers(300, 100_000)
ratios = st.floats(-4, 3).map(lambda power: 10**power)


@given(ratios, few)
def test_students_tail_is_scipys(t: float, df: int) -> None:
    assert student_tail(t, df) == pytest.approx(2 * special.stdtr(df, -t), rel=1e-12, abs=1e-290)
    assert student_tail(-t, df) == student_tail(t, df)


@given(ratios, many)
def test_students_tail_is_scipys_for_many_values_too(t: float, df: int) -> None:
    assert student_tail(t, df) == pytest.approx(2 * special.stdtr(df, -t), rel=1e-10, abs=1e-290)


@given(st.floats(-9, -0.001).map(lambda power: 10**power), few)
def test_the_critical_value_is_scipys_quantile(level: float, df: int) -> None:
    assert student_critical(level, df) == pytest.approx(-special.stdtrit(df, level / 2), rel=1e-12)


@given(st.floats(0, 300).map(lambda power: 10**power))
def test_far_out_one_degree_of_freedom_is_cauchys_distribution(t: float) -> None:
    assert student_tail(t, 1) == pytest.approx(2 / math.pi * math.atan(1 / t), rel=1e-12)


@given(ratios)
def test_two_degrees_of_freedom_have_a_closed_form(t: float) -> None:
    root = math.sqrt(2 + t * t)
    assert student_tail(t, 2) == pytest.approx(2 / (root * (root + t)), rel=1e-12)


def test_the_ends_of_students_distribution() -> None:
    assert student_tail(0.0, 4) == 1
    assert student_tail(math.inf, 4) == student_tail(-math.inf, 4) == 0
    assert math.isnan(student_tail(math.nan, 4))


@given(st.data(), st.integers(0, 2000))
def test_the_binomial_tail_is_that_of_whole_numbers(data: st.DataObject, total: int) -> None:
    most = data.draw(st.integers(0, total // 2))
    exact = sum(math.comb(total, heads) for heads in range(most + 1)) / 2**total
    assert binomial_tail(most, total) == pytest.approx(exact, rel=1e-13)


@given(st.data(), st.integers(2000, 100_000))
def test_the_binomial_tail_is_scipys(data: st.DataObject, total: int) -> None:
    off = data.draw(st.integers(0, 4 * math.isqrt(total)))
    most = max(0, total // 2 - off)
    # SciPy's own error is up to 3e-10 here, by whole numbers
    assert binomial_tail(most, total) == pytest.approx(special.bdtr(most, total, 0.5), rel=1e-9)
