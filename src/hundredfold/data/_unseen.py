"""Test images of which training saw nothing nearly the same."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import duplicates
from hundredfold.data._types import DataSet


def unseen(data: DataSet, cache: Path) -> NDArray[np.bool_] | None:
    """Return (n,) for the test images: True where training saw nothing nearly the same.

    What training may have seen are the training part and, where the data set brings one, its
    validation part. None where there are too many images to compare, or none of training are
    at hand. Opens the test part.
    """
    if "train" not in data.parts:
        return None
    test = data.parts["test"]()
    images = duplicates.thumbnails(test.pixels, test.indices)
    fresh = np.ones(len(test), bool)
    for name in ("train", "validation"):
        if name in data.parts:
            part = data.parts[name]()
            known = duplicates.thumbnails(part.pixels, part.indices)
            near = duplicates.find_across(cache, images, known)
            if near is None:
                return None
            fresh[near.rows] = False
    return fresh
