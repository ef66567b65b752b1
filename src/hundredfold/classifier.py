"""What scores and predictions ask of a trained network, whatever engine computes it."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import Pixels, Resize
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
