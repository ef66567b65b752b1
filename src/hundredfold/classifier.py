"""What scores and predictions ask of a trained network, whatever engine computes it."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import Pixels, Resize
from hundredfold.errors import DataError
from hundredfold.size import Size


class Classifier(Protocol):
    """A trained network of any engine, the names of its classes, the size of its images."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def size(self) -> Size: ...
    @property
    def resize(self) -> Resize:
        """How an image becomes one of that size; see `data.decode`."""
        ...

    def logits(self, pixels: Pixels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) of images (n, height, width, 3)."""
        ...


def need_finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return logits. Raises DataError where weights overflow, so that no probability is NaN."""
    wrong = int(np.count_nonzero(~np.isfinite(logits).all(axis=1)))
    if wrong:
        raise DataError(
            "the network computes numbers that are not finite",
            found=f"for {wrong:,} of {len(logits):,} images",
            remedy="its weights are damaged or too large; train it again",
        )
    return logits
