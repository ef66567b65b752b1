"""Check logits and labels, and derive probabilities, ranks and counts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hundredfold.errors import CheckError, DataError

Logits = NDArray[np.float64]
Labels = NDArray[np.int64]


def checked(logits: ArrayLike, labels: ArrayLike) -> tuple[Logits, Labels]:
    """Return logits (n, classes) as float64 and labels (n,) as int64.

    Raises DataError for no images, shapes that do not match or a label outside the classes, and
    CheckError for logits that are not finite.
    """
    scores, truth = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if len(truth) == 0:
        raise DataError("no images to score", remedy="choose a split that holds images")
    if scores.ndim != 2 or scores.shape[1] < 2 or truth.shape != scores.shape[:1]:
        raise DataError(
            "logits and labels do not fit together",
            found=f"logits of shape {scores.shape}, labels of shape {truth.shape}",
            remedy="logits (images, classes) with at least 2 classes, labels (images,)",
        )
    if truth.dtype.kind not in "iu":
        raise DataError(f"labels are {truth.dtype}", remedy="whole numbers from 0 on")
    classes = scores.shape[1]
    if truth.min() < 0 or truth.max() >= classes:
        raise DataError(
            f"a label lies outside the {classes} classes of the logits",
            found=f"labels from {truth.min()} to {truth.max()}",
            remedy=f"labels from 0 to {classes - 1}",
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise CheckError(
            f"the logits of {bad} of {len(scores)} images are not finite",
            remedy="train with a smaller learning rate or in float32",
        )
    return scores, truth.astype(np.int64)


def checked_superclasses(superclass_of: Sequence[int], classes: int) -> NDArray[np.int64]:
    """Return the superclass of each class, (classes,). Raises DataError where one is missing."""
    groups = np.asarray(superclass_of, dtype=np.int64)
    if groups.shape != (classes,) or groups.min() < 0:
        raise DataError(
            f"the superclasses do not fit {classes} classes",
            found=f"{groups.size} entries",
            remedy="superclass_of holds one superclass, counted from 0, for every class",
        )
    return groups


def rank(logits: Logits, labels: Labels) -> NDArray[np.int64]:
    """Return how many classes rank before the label, (n,); 0 is a correct prediction.

    Ties rank the smaller class index first, as argmax does.
    """
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, None]
    ranks: NDArray[np.int64] = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return ranks


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Return probabilities (n, classes) whose rows sum to 1; large logits do not overflow."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def cross_entropy(logits: Logits, labels: Labels) -> NDArray[np.float64]:
    """Return -log of the label's probability in nats, (n,); large logits do not overflow."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    own = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    nats: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - own
    return nats


def counts(predicted: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix (classes, classes): rows are labels, columns predictions."""
    cells = np.bincount(labels * classes + predicted, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.int64)


def f1(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the F1 of each class from a confusion matrix; 0 where a class never occurs."""
    return ratio(2 * np.diag(table), table.sum(axis=0) + table.sum(axis=1))


def ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
