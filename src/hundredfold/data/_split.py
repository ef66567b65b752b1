"""Stratified cuts: which rows of a part go where, as a function of labels, share and seed."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hundredfold.data._types import DataSet, Split
from hundredfold.errors import UsageError

Indices = NDArray[np.int64]


def training(data: DataSet, *, share: float = 0.1, seed: int = 0) -> tuple[Split, Split]:
    """Return the training and the validation split, without copying pixels.

    A validation part of the data set's own is taken as it is; else `share` of the training
    part is cut by `seed`; a share of 0 leaves the validation split empty. The test part is
    not opened. Raises UsageError for a share outside [0, 1) and for data of which nothing
    could be spared.
    """
    train = data.parts["train"]()
    if "validation" in data.parts:
        return train, data.parts["validation"]()
    if share == 0:
        return train, replace(train, indices=train.indices[:0])
    kept, cut = stratified(train.labels, share, seed)
    if not len(cut):
        raise UsageError(
            f"{data.name} has one image per class, so none can be spared for validation",
            remedy="add images, or a folder 'validation' beside 'train'",
        )
    return replace(train, indices=kept), replace(train, indices=cut)


def stratified(labels: NDArray[np.int64], share: float, seed: int) -> tuple[Indices, Indices]:
    """Return the rows that stay and the `share` that is cut, both ascending.

    From each class the nearest whole number of rows is cut, but at least one stays and at
    least one goes where a class has two; a class of one row stays whole.
    """
    if not 0 < share < 1:
        raise UsageError(f"the share of validation is {share}", remedy="a number in (0, 1)")
    # Raw draws are the part of NumPy's random numbers that is promised never to change.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    order = np.lexsort((keys, labels))
    counts = np.bincount(labels) if len(labels) else np.zeros(0, np.int64)
    starts = np.cumsum(counts) - counts
    groups = [order[s : s + _taken(int(n), share)] for s, n in zip(starts, counts, strict=True)]
    cut = np.zeros(len(labels), bool)
    cut[np.concatenate([*groups, np.zeros(0, np.int64)])] = True
    return np.flatnonzero(~cut), np.flatnonzero(cut)


def _taken(count: int, share: float) -> int:
    return min(max(int(count * share + 0.5), 1), count - 1) if count > 1 else 0


def limited(split: Split, limit: int, seed: int) -> Split:
    """Return at most `limit` of a split's images, drawn by the seed; 0 is all."""
    if not limit or limit >= len(split.indices):
        return split
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    return replace(split, indices=np.sort(chance.permutation(split.indices)[:limit]))
