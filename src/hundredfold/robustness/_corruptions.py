"""Accuracy of a run under corruptions: corruptions.json."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import evaluation, files
from hundredfold.classifier import Classifier, need_finite
from hundredfold.data import Source, Split
from hundredfold.metrics import wilson
from hundredfold.robustness._corrupt import CORRUPTIONS, STRENGTHS, corrupted
from hundredfold.run import Run

MOST = 2000  # images, of a larger split at even distances
_BLOCK = 256  # images in memory


def corruptions(
    run: Run, split: str, source: Source, open_classifier: Callable[[], Classifier]
) -> dict[str, Any]:
    """Score a run on corrupted images of a split, write corruptions.json, and return it.

    split: "test" or "validation". At most 2,000 images, at even distances, are taken, at the size
    that the network gets. Call it after `evaluation.evaluate`, which counts the test evaluation.

    Raises DataError where the images are missing or are not those of the run.
    """
    part = evaluation.images(run, split, source)
    chosen = np.unique(np.linspace(0, len(part) - 1, min(MOST, len(part))).round().astype(np.int64))
    rows = part.indices[chosen]
    classify = open_classifier()
    labels = part.labels[rows]
    found: dict[str, Any] = {
        "split": split,
        "n": len(rows),
        "images": len(part),
        "size": str(classify.size),
        "weights": run.scored(split).get("weights", ""),
        "undisturbed": _accuracy(classify, part, rows, labels, "", 0),
        "corruptions": {
            name: [
                _accuracy(classify, part, rows, labels, name, strength)
                for strength in range(1, STRENGTHS + 1)
            ]
            for name in CORRUPTIONS
        },
    }
    with run.writer():
        files.write_json(run.folder / "corruptions.json", found)
    return found


def _accuracy(
    classify: Classifier,
    part: Split,
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    name: str,
    strength: int,
) -> dict[str, Any]:
    """Return the accuracy with its 95 % interval; name: "" for undisturbed images."""
    correct = 0
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        pixels = np.ascontiguousarray(part.pixels[block])
        if name:
            pixels = corrupted(name, pixels, block, strength)
        logits = need_finite(classify.logits(pixels, np.arange(len(block))))
        correct += int((logits.argmax(axis=1) == labels[first : first + _BLOCK]).sum())
    value = correct / len(rows)
    low, high = wilson(value, len(rows))
    return {"value": value, "low": low, "high": high, "n": len(rows)}
