"""Stratified splits of a part, as a function of labels, fraction and seed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hundredfold.data._types import DataSet, Split
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe

Indices = NDArray[np.int64]


def split(data: DataSet, recipe: Recipe) -> tuple[Split, Split]:
    """Return the training and the validation split of a recipe, see `training`."""
    return training(
        data, share=recipe.validation, seed=recipe.seed, fold=recipe.fold, folds=recipe.folds
    )


def training(
    data: DataSet, *, share: float = 0.1, seed: int = 0, fold: int = 0, folds: int = 0
) -> tuple[Split, Split]:
    """Return the training and the validation split, without copying pixels.

    A data set's own validation part is used where there is one; the test part is not opened.

    share: fraction of the training part that becomes validation, in [0, 1); 0 leaves it empty.
    seed:  decides which images.
    folds: 2 or more cut the training part into folds, of which `fold` becomes validation; every
           image is in one of them. 0 is off.

    Raises UsageError for a fraction outside [0, 1), where every class has one image, and for folds
    where there is a validation part, or of which one has no images.
    """
    train = data.parts["train"]()
    if "validation" in data.parts:
        if folds:
            raise UsageError(
                f"folds = {folds} cannot be cut: {data.name} has a validation part of its own",
                remedy="--folds 0, or move its images into 'train'",
            )
        return train, data.parts["validation"]()
    if folds:
        chosen = fold_of(train.labels, train.groups, folds, seed) == fold
        if not chosen.any() or chosen.all():
            raise UsageError(
                f"{data.name} has {len(chosen)} images, too few for {folds} folds",
                remedy="fewer --folds",
            )
        return (
            replace(train, indices=np.flatnonzero(~chosen)),
            replace(train, indices=np.flatnonzero(chosen)),
        )
    if share == 0:
        return train, replace(train, indices=train.indices[:0])
    kept, cut = cut_off(train.labels, train.groups, share, seed)
    if not len(cut):
        unit = "image" if train.groups is None else "group"
        raise UsageError(
            f"{data.name} has one {unit} per class, so there are none for validation",
            remedy="add images, or a folder 'validation' beside 'train'",
        )
    return replace(train, indices=kept), replace(train, indices=cut)


def fold_of(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None, folds: int, seed: int
) -> Indices:
    """Return (n,), the fold of each row, from 0 to folds - 1.

    Sizes of folds differ by at most 1, and so do the counts of a class in them. With groups, whole
    groups are dealt out in place of rows.
    """
    if groups is not None:
        _, first, of_row = np.unique(groups, return_index=True, return_inverse=True)
        return fold_of(labels[first], None, folds, seed)[of_row]
    order = _shuffled_by_class(labels, seed)
    result = np.empty(len(labels), np.int64)
    result[order] = np.arange(len(labels)) % folds
    return result


def _shuffled_by_class(labels: NDArray[np.int64], seed: int) -> Indices:
    """Return the rows class by class, in random order within a class."""
    # NumPy guarantees that raw draws never change between versions.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    return np.lexsort((keys, labels))


def cut_off(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None, fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Return the rows that stay and the rows that are cut; groups are never separated."""
    if groups is None:
        return stratified(labels, fraction, seed)
    _need_fraction(fraction)
    return grouped(labels, groups, fraction, seed)


def stratified(labels: NDArray[np.int64], fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Return the rows that stay and the `fraction` that is cut, both ascending.

    From each class the nearest whole number of rows is cut. In a class of two or more rows at
    least one stays and at least one is cut; a class of one row is not cut.

    Raises UsageError for a fraction outside (0, 1).
    """
    _need_fraction(fraction)
    order = _shuffled_by_class(labels, seed)
    counts = np.bincount(labels) if len(labels) else np.zeros(0, np.int64)
    starts = np.cumsum(counts) - counts
    groups = [order[s : s + _taken(int(n), fraction)] for s, n in zip(starts, counts, strict=True)]
    cut = np.zeros(len(labels), bool)
    cut[np.concatenate([*groups, np.zeros(0, np.int64)])] = True
    return np.flatnonzero(~cut), np.flatnonzero(cut)


def _need_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise UsageError(f"validation = {fraction} is not in (0, 1)", remedy="validation = 0.1")


def _taken(count: int, fraction: float) -> int:
    return min(max(int(count * fraction + 0.5), 1), count - 1) if count > 1 else 0


def grouped(
    labels: NDArray[np.int64], groups: NDArray[np.int64], fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Return the rows that stay and about a `fraction` that is cut, both ascending.

    groups: (n,), index of the group of each row; a group stays or is cut as a whole.

    Groups are drawn in a random order. One is cut where that brings the number of cut rows of its
    classes closer to the fraction. Each class keeps at least one group, and a class of two or more
    groups loses one if no class would lose its last.
    """
    pairs, counts = np.unique(np.stack([groups, labels], axis=1), axis=0, return_counts=True)
    number = int(groups.max()) + 1 if len(groups) else 0
    ends = np.searchsorted(pairs[:, 0], np.arange(number + 1))
    of_group = [slice(a, b) for a, b in pairwise(ends)]
    missing = np.bincount(labels).astype(np.float64) * fraction  # rows to be cut, by class
    left = np.bincount(pairs[:, 1])  # groups that stay, by class
    cut = np.zeros(number, bool)

    def try_cut(group: int, *, needed: bool = False) -> bool:
        held, size = pairs[of_group[group], 1], counts[of_group[group]]
        gain = np.abs(missing[held]).sum() - np.abs(missing[held] - size).sum()
        if cut[group] or (left[held] < 2).any() or not (needed or gain > 0):
            return False
        missing[held] -= size
        left[held] -= 1
        cut[group] = True
        return True

    order = np.argsort(np.random.PCG64(seed).random_raw(number), kind="stable")
    for group in order:
        try_cut(group)
    for label in np.unique(labels):
        own = pairs[pairs[:, 1] == label, 0]
        if not cut[own].any():
            sizes = [int(counts[of_group[group]].sum()) for group in own]
            smallest = own[np.argsort(sizes, kind="stable")]
            next((group for group in smallest if try_cut(group, needed=True)), None)
    rows = cut[groups]
    return np.flatnonzero(~rows), np.flatnonzero(rows)


def limited(split: Split, limit: int, seed: int) -> Split:
    """Return at most `limit` random images of a split, chosen by the seed; 0 returns all."""
    if not limit or limit >= len(split.indices):
        return split
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    return replace(split, indices=np.sort(rng.permutation(split.indices)[:limit]))
