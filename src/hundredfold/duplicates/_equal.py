"""Equal images, found by their digests: linear where near-duplicates are all pairs."""

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._near import Near


def equal(digests: NDArray[np.uint8]) -> Near:
    """Return the pairs of images with equal digests: each image with the first of its kind.

    digests: (n, bytes), one for each image.
    """
    keys = np.ascontiguousarray(digests).view(f"V{digests.shape[1]}").ravel()
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    original = first[kind.ravel()]
    later = np.flatnonzero(original != np.arange(len(keys)))
    return Near(original[later], later, np.ones(len(later), np.float32))
