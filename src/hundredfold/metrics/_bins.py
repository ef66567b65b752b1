"""Confidence in bins: shared by the calibration error and the reliability diagram."""

import numpy as np
from numpy.typing import NDArray

from hundredfold.errors import UsageError


def edges(confidence: NDArray[np.float64], bins: int, adaptive: bool) -> NDArray[np.float64]:
    """Return the bins + 1 edges: equal widths on [0, 1], or about equal numbers of images."""
    if bins < 1:
        raise UsageError(f"bins={bins} is less than 1", remedy="bins=15")
    ends = np.linspace(0, 1, bins + 1)
    if adaptive:
        ends[1:-1] = np.quantile(confidence, ends[1:-1])
    return ends


def assign(confidence: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each confidence; a bin holds its upper edge (Guo et al. 2017)."""
    return np.searchsorted(ends[1:-1], confidence, side="left").astype(np.int64)
