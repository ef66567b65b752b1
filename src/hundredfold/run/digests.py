"""Digests of arrays that a run stores."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def of_arrays(*arrays: NDArray[Any] | None) -> str:
    """Return the SHA-256 of the bytes of arrays, in their order; None is passed over."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
