"""Bins of confidence, for the calibration error and the reliability diagram."""

import numpy as np
from numpy.typing import NDArray


def edges(confidence: NDArray[np.float64], bins: int, adaptive: bool) -> NDArray[np.float64]:
    """Return bins + 1 edges on [0, 1]: of equal width, or adaptive, with equally many images.

    confidence: (n,) in [0, 1].
    """
    bounds = np.linspace(0, 1, bins + 1)
    if adaptive:
        bounds[1:-1] = np.quantile(confidence, bounds[1:-1])
    return bounds


def assign(confidence: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each confidence; a bin holds its upper edge (Guo et al. 2017)."""
    return np.searchsorted(ends[1:-1], confidence, side="left").astype(np.int64)
