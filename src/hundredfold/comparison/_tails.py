"""Tails of Student's t distribution, and of the binomial distribution with p = 1/2.

With T of Student's t distribution of df degrees of freedom and x = df / (df + t^2),

    P(|T| >= t) = I_x(df/2, 1/2)

where I is the regularised incomplete beta function (DLMF 8.17; Press and others 2007, Numerical
Recipes, 6.4 and 6.14). Its continued fraction converges fast for x < (a + 1) / (a + b + 2).
Beyond that, I_x(a, b) = 1 - I_{1-x}(b, a) is used.
"""

import math

_PRECISION = 1e-15  # relative, of a sum or product that has converged
_STEPS = 100_000  # of the continued fraction, which needs about sqrt(df)
_TINY = 1e-300  # stands for a denominator of 0 in Lentz's method


def student_tail(t: float, df: float) -> float:
    """Return P(|T| >= |t|) for Student's t of df >= 1 degrees of freedom; NaN where t is NaN.

    The relative error is below 1e-12 for df up to 1,000, and below 1e-10 up to 100,000.
    """
    if math.isnan(t) or math.isinf(t):
        return t if math.isnan(t) else 0.0
    a, ratio = df / 2, abs(t) / math.sqrt(df)
    # ln x; the square of a ratio above 1e150 is not a float
    log_x = -math.log1p(ratio * ratio) if ratio < 1e150 else -2 * math.log(ratio)
    root = ratio / math.hypot(1, ratio)  # of 1 - x, without the loss of digits near x = 1
    x, rest = math.exp(log_x), root * root
    weight = math.exp(a * log_x) * root * _gamma_ratio(a) / math.sqrt(math.pi)
    if x < (a + 1) / (a + 2.5):
        return weight / a * _fraction(x, a, 0.5)
    return 1 - 2 * weight * _fraction(rest, 0.5, a)


def student_critical(level: float, df: float) -> float:
    """Return the t > 0 for which P(|T| >= t) is `level`, in (0, 1), by bisection."""
    low, high = 0.0, 1.0
    while student_tail(high, df) > level:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if student_tail(middle, df) > level else (low, middle)
    return high


def binomial_tail(most: int, total: int) -> float:
    """Return the probability of at most `most` heads in `total` tosses of a fair coin.

    most: 0 to total/2, so that the last term is the largest. It is an exact quotient of
    integers; each earlier term is the next one times a ratio.
    """
    last = math.comb(total, most) / (1 << total)
    term = tail = 1.0  # in units of the last term
    for heads in range(most, 0, -1):
        term *= heads / (total - heads + 1)
        tail += term
        if term < tail * _PRECISION**2:
            break
    return last * tail


def _gamma_ratio(a: float) -> float:
    """Return gamma(a + 1/2) / gamma(a), for large a by its series in 1/a (DLMF 5.11.13)."""
    if a < 100:
        return math.gamma(a + 0.5) / math.gamma(a)
    series = 0.0
    for coefficient in (-399 / 262144, -21 / 32768, 5 / 1024, 1 / 128, -1 / 8, 1):
        series = series / a + coefficient
    return math.sqrt(a) * series


def _fraction(x: float, a: float, b: float) -> float:
    """Return 1/(1 + d1/(1 + d2/(1 + ...))) of DLMF 8.17.22, by Lentz's method."""
    value, above, below = 1.0, 1.0, 0.0
    for m in range(_STEPS):
        odd = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
        even = (m + 1) * (b - m - 1) / ((a + 2 * m + 1) * (a + 2 * m + 2))
        for d in (odd * x, even * x):
            below = 1 / ((1 + d * below) or _TINY)
            above = (1 + d / above) or _TINY
            value *= above * below
        if abs(above * below - 1) < _PRECISION:
            break
    return 1 / value
