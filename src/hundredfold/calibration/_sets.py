"""Label sets that hold the true class with a stated probability: split conformal prediction.

Vovk, Gammerman & Shafer 2005; Lei et al. 2018, arXiv:1604.04173; the score is the probability of
the true class (Sadinle, Lei & Wasserman 2019, arXiv:1609.00451).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from hundredfold.calibration._calibration import LabelSets
from hundredfold.errors import UsageError


def label_sets(coverage: float, probabilities: ArrayLike, labels: ArrayLike) -> LabelSets:
    """Return label sets that hold the true class of a further image with at least `coverage`.

    probabilities: (n, classes) of images that the network was not trained on; labels: (n,).

    The threshold is the k-th largest probability of a true class, k = ⌈(n + 1) coverage⌉. The
    promise holds on average over draws of images that are exchangeable with these: any order of
    all of them is as likely. Raises UsageError outside (0, 1), and where n is so small that only
    sets of all classes would do.
    """
    need_coverage(coverage)
    values, truth = np.asarray(probabilities), np.asarray(labels)
    n = len(truth)
    k = math.ceil((n + 1) * coverage - 1e-9)
    if k > n:
        raise UsageError(
            f"--sets {coverage:g} needs more validation images",
            found=f"{n:,} of at least {math.ceil(coverage / (1 - coverage) - 1e-9):,}",
            remedy="a lower coverage, or train with more validation images",
        )
    own = np.take_along_axis(values, truth[:, None], axis=1)[:, 0]
    return LabelSets(float(coverage), float(np.sort(own)[n - k]))


def need_coverage(coverage: float) -> None:
    """Raise UsageError for a coverage outside (0, 1)."""
    if not 0 < coverage < 1:
        raise UsageError(
            f"--sets {coverage:g} is no coverage", remedy="--sets 0.9, a number between 0 and 1"
        )
