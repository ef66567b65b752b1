"""Maps of what mattered in the worst mistakes, for the page of a run."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hundredfold.classifier import Classifier
from hundredfold.occlusion import within

SECONDS = 4.0  # for all maps of a page


def explainer(
    open_classifier: Callable[[], Classifier],
) -> Callable[[Sequence[NDArray[np.uint8]], Sequence[int]], list[NDArray[np.float64]]]:
    """Return what computes maps of images (height, width, 3) for a class each.

    The list is shorter where the time ends, and empty where the network cannot be opened.
    """

    def explain(
        images: Sequence[NDArray[np.uint8]], labels: Sequence[int]
    ) -> list[NDArray[np.float64]]:
        try:
            classifier = open_classifier()
            return within(
                lambda batch: classifier.logits(batch, np.arange(len(batch))),
                images,
                labels,
                SECONDS,
            )
        except Exception:  # a page is written without them, whatever a user's network does
            return []

    return explain
