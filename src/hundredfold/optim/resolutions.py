"""Resolutions: the size of training images in pixels, as a function of progress.

progress is the fraction of all steps that are done, in [0, 1). size is the data's, in pixels:
a number, or (height, width) where they differ. Validation, evaluation and prediction always use
that size.
"""

from hundredfold.errors import UsageError
from hundredfold.size import Size, SizeLike
from hundredfold.spec import Fraction, PositiveFraction


def full(progress: float, size: SizeLike) -> SizeLike:  # noqa: ARG001
    """Train at the size of the data throughout."""
    return size


def progressive(
    progress: float,
    size: SizeLike,
    *,
    shares: tuple[PositiveFraction, ...] = (0.625, 0.75),
    until: tuple[Fraction, ...] = (0.35, 0.7),
) -> SizeLike:
    """Train on smaller images first: the sizes of `shares` until `until`, then the full size.

    shares: fractions of both sides. until: the progress at which each ends, ascending. The
    defaults are 20, 24, then 32 pixels for data of 32. Early steps are cheaper and cost little
    accuracy (Howard 2018, DAWNBench; Tan & Le 2021, arXiv:2104.00298, section 4).
    Raises UsageError where the two do not pair.
    """
    if len(shares) != len(until) or list(until) != sorted(until):
        raise UsageError(
            f"progressive(shares={shares}, until={until}) does not pair sizes with progress",
            remedy="progressive(shares=(0.625, 0.75), until=(0.35, 0.7))",
        )
    for fraction, end in zip(shares, until, strict=True):
        if progress < end:
            return Size.of(size).scaled(fraction).given
    return size
