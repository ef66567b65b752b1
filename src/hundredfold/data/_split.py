"""Stratified splits of a part, as a function of labels, fraction and seed."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hundredfold.data._types import DataSet, Split
from hundredfold.errors import UsageError

Indices = NDArray[np.int64]


def training(data: DataSet, *, share: float = 0.1, seed: int = 0) -> tuple[Split, Split]:
    """Return the training and the validation split, without copying pixels.

    A data set's own validation part is used where there is one; the test part is not opened.

    share: fraction of the training part that becomes validation, in [0, 1); 0 leaves it empty.
    seed:  decides which images.

    Raises UsageError for a fraction outside [0, 1), and where every class has one image.
    """
    train = data.parts["train"]()
    if "validation" in data.parts:
        return train, data.parts["validation"]()
    if share == 0:
        return train, replace(train, indices=train.indices[:0])
    kept, cut = stratified(train.labels, share, seed)
    if not len(cut):
        raise UsageError(
            f"{data.name} has one image per class, so there are none for validation",
            remedy="add images, or a folder 'validation' beside 'train'",
        )
    return replace(train, indices=kept), replace(train, indices=cut)


def stratified(labels: NDArray[np.int64], fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Return the rows that stay and the `fraction` that is cut, both ascending.

    From each class the nearest whole number of rows is cut. In a class of two or more rows at
    least one stays and at least one is cut; a class of one row is not cut.

    Raises UsageError for a fraction outside (0, 1).
    """
    if not 0 < fraction < 1:
        raise UsageError(f"validation = {fraction} is not in (0, 1)", remedy="validation = 0.1")
    # NumPy guarantees that raw draws never change between versions.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    order = np.lexsort((keys, labels))
    counts = np.bincount(labels) if len(labels) else np.zeros(0, np.int64)
    starts = np.cumsum(counts) - counts
    groups = [order[s : s + _taken(int(n), fraction)] for s, n in zip(starts, counts, strict=True)]
    cut = np.zeros(len(labels), bool)
    cut[np.concatenate([*groups, np.zeros(0, np.int64)])] = True
    return np.flatnonzero(~cut), np.flatnonzero(cut)


def _taken(count: int, fraction: float) -> int:
    return min(max(int(count * fraction + 0.5), 1), count - 1) if count > 1 else 0


def limited(split: Split, limit: int, seed: int) -> Split:
    """Return at most `limit` random images of a split, chosen by the seed; 0 returns all."""
    if not limit or limit >= len(split.indices):
        return split
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    return replace(split, indices=np.sort(rng.permutation(split.indices)[:limit]))
