"""Test images without a near-duplicate in the training data."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import duplicates
from hundredfold.data._types import DataSet


def unseen(data: DataSet, cache: Path) -> NDArray[np.bool_] | None:
    """Return (n,) over the test images: True where the training data have no near-duplicate.

    The training data are the training part and, where there is one, the validation part.
    Returns None where there are too many images to compare, or no training images at hand. Opens
    the test part.
    """
    if "train" not in data.parts:
        return None
    test = data.parts["test"]()
    parts = [data.parts[name]() for name in ("train", "validation") if name in data.parts]
    if any(len(test) * len(part) > duplicates.MOST_PAIRS for part in parts):
        return None
    images = duplicates.thumbnails(test.pixels, test.indices)
    fresh = np.ones(len(test), bool)
    for part in parts:
        reference = duplicates.thumbnails(part.pixels, part.indices)
        near = duplicates.find_across(cache, images, reference)
        if near is None:
            return None
        fresh[near.rows] = False
    return fresh
