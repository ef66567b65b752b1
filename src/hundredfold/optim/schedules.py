"""Schedules: the learning rate's factor as a function of progress.

progress is the fraction of all steps that are done, in [0, 1); the factor multiplies the
optimizer's lr. Schedules have no state, so a resumed run continues exactly. A warmup
is a fraction of the run.
"""

import math

from hundredfold.spec import BelowOne, Fraction, Rate


def constant(progress: float, *, warmup: BelowOne = 0.0) -> float:
    """Keep the rate, after a linear warm-up over that fraction of the run."""
    return _warm(progress, warmup)


def cosine(progress: float, *, warmup: BelowOne = 0.0, final: Fraction = 0.0) -> float:
    """Decay along half a cosine to `final` (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    if progress < warmup:
        return _warm(progress, warmup)
    after = (progress - warmup) / (1 - warmup)
    return final + (1 - final) * (1 + math.cos(math.pi * after)) / 2


def linear(progress: float, *, warmup: BelowOne = 0.0, final: Fraction = 0.0) -> float:
    """Decay linearly to `final`."""
    if progress < warmup:
        return _warm(progress, warmup)
    return 1 - (1 - final) * (progress - warmup) / (1 - warmup)


def steps(
    progress: float, *, at: tuple[Fraction, ...] = (0.3, 0.6, 0.8), factor: Rate = 0.2
) -> float:
    """Multiply by `factor` at each of these fractions of the run.

    The defaults are wide residual networks' 60, 120 and 160 of 200 epochs (Zagoruyko &
    Komodakis 2016, arXiv:1605.07146, section 3).
    """
    return factor ** sum(progress >= milestone for milestone in at)


def one_cycle(
    progress: float, *, warmup: BelowOne = 0.3, start: Fraction = 0.04, final: Fraction = 0.0
) -> float:
    """Rise along a cosine from `start` to 1, then decay to `final`.

    Source: Smith 2018, arXiv:1803.09820, section 4.
    """
    if progress < warmup:
        return start + (1 - start) * (1 - math.cos(math.pi * progress / warmup)) / 2
    return cosine((progress - warmup) / (1 - warmup), final=final)


def _warm(progress: float, warmup: float) -> float:
    return 1.0 if progress >= warmup else max(progress, 1e-3 * warmup) / warmup
