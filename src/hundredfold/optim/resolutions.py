"""Resolutions: the size at which images are trained on, as a function of progress.

progress is the share of all steps that are done, in [0, 1); size is the data's own. Images
are scored, exported and predicted at their own size always.
"""

from hundredfold.errors import UsageError


def full(progress: float, size: int) -> int:  # noqa: ARG001
    """Train at the images' own size throughout."""
    return size


def progressive(
    progress: float,
    size: int,
    *,
    shares: tuple[float, ...] = (0.625, 0.75),
    until: tuple[float, ...] = (0.35, 0.7),
) -> int:
    """Train at these shares of the size until these shares of the run, then at the full size.

    The defaults are 20, 24, then 32 pixels; early steps cost a fraction and later ones
    make up for it (Howard 2018, DAWNBench; Tan & Le 2021, arXiv:2104.00298, section 4).
    """
    if len(shares) != len(until) or list(until) != sorted(until) or not all(shares):
        raise UsageError(
            f"progressive(shares={shares}, until={until}) does not pair sizes with places",
            remedy="progressive(shares=(0.625, 0.75), until=(0.35, 0.7))",
        )
    for share, end in zip(shares, until, strict=True):
        if progress < end:
            return max(1, round(share * size))
    return size
