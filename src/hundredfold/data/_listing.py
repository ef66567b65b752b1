"""The listing of a source: labelled files by part and class, before anything is decoded.

Class folders, an archive of them, a table of paths and labels, and file names with labels all
become a `Listing`. A test part that is cut off, and corrected labels, change the listing. What
follows is one path: decoding, checks, training and evaluation know no kind of source.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _passed_over, _scan, _walk
from hundredfold.data._passed_over import Counts
from hundredfold.data._split import cut_off
from hundredfold.data._subset import drawn, for_validation
from hundredfold.data._walk import Entry, names
from hundredfold.errors import DataError, UsageError

Files = Mapping[str, list[Entry]]  # class -> its files
SEED = 0  # of a test part: the same for every seed of a training


@dataclass(frozen=True)
class Listing:
    """The files of a source.

    root:     below which all files are; names are relative to it.
    where:    part -> what holds it, for errors; "train", and optionally "validation" and "test".
    read:     part -> its files by class, sorted; called when a part is needed.
    group_of: name of a file -> what must stay within one split; None without groups.
    notes:    sentences on images that are left out, and on names that may mean something else.
    passed_over: counts the files that are no images of a class, by kind.
    """

    root: Entry
    where: Mapping[str, Entry]
    read: Callable[[str], Files]
    group_of: Callable[[str], str] | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)
    passed_over: Callable[[], Counts] = field(default=dict, compare=False)

    def files(self, part: str, classes: tuple[str, ...]) -> list[tuple[Entry, int]]:
        """Return the files of a part with the indices of their classes."""
        return _scan.labelled(self.read(part), classes)

    def all(self, part: str) -> list[Entry]:
        """Return the files of a part, class by class."""
        return [file for some in self.read(part).values() for file in some]

    def name(self, file: Entry) -> str:
        """Return the name of a file, relative to the root."""
        return _scan.relative(self.root, file)

    def groups(self, names: Iterable[str]) -> NDArray[np.int64] | None:
        """Return the index of each file's group, (n,); None without groups."""
        if self.group_of is None:
            return None
        groups = [self.group_of(name) for name in names]
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def of_folders(root: Entry) -> Listing:
    """Return the listing of a folder, or an archive, of class folders."""
    layout = _scan.layout(root)
    return Listing(
        root,
        {part: folder.entry for part, folder in layout.parts.items()},
        cache(partial(_scan.classes, layout)),
        notes=(*layout.notes, *_passed_over.unfollowed(layout.tree)),
        passed_over=partial(_passed_over.of_layout, layout),
    )


def of_names(root: Entry, label_of: Callable[[str], str]) -> Listing:
    """Return the listing of a folder with labels in the names of its files.

    label_of: the path of a file, relative to the root -> its label.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {str(root)!r}", remedy="check --data-dir")

    tree = _walk.walk(root)

    @cache
    def read(_part: str) -> Files:
        by_class: dict[str, list[Entry]] = {}
        for file in _walk.images(tree):
            by_class.setdefault(label_of(_scan.relative(root, file)), []).append(file)
        return dict(sorted(by_class.items()))

    count = partial(_passed_over.of_files, tree, None)
    notes = tuple(_passed_over.unfollowed(tree))
    return Listing(root, {"train": root}, read, notes=notes, passed_over=count)


def with_test(listing: Listing, fraction: float) -> Listing:
    """Return the listing with a fraction of each class, or of the groups, as the test part.

    The cut depends on names and labels alone, so every training of the data leaves out the same
    images. fraction: in (0, 1). Raises UsageError where there is a test part.
    """
    if "test" in listing.where:
        raise UsageError(
            f"{listing.where['test']} is a test part already, so --test {fraction} does nothing",
            remedy="the same command without --test",
        )

    @cache
    def read(part: str) -> Files:
        if part == "validation":
            return listing.read(part)
        by_class = listing.read("train")
        files, labels = _rows(by_class)
        kept, cut = cut_off(labels, listing.groups(map(listing.name, files)), fraction, SEED)
        return _at(by_class, cut if part == "test" else kept)

    return replace(listing, where={**listing.where, "test": listing.where["train"]}, read=read)


def with_subset(listing: Listing, count: int) -> Listing:
    """Return the listing with about `count` training images, drawn class by class by their names.

    A part for validation shrinks in proportion, to 1,000 images at least; the test part stays
    whole.
    """

    @cache
    def read(part: str) -> Files:
        by_class = listing.read(part)
        if part == "test":
            return by_class
        files, labels = _rows(by_class)
        total = sum(map(len, listing.read("train").values()))
        wanted = count if part == "train" else for_validation(count, total, len(files))
        where = listing.where[part]
        below = where if where.is_dir() else listing.root
        return _at(by_class, drawn(list(names(below, files)), labels, wanted))

    def passed_over() -> Counts:
        parts = list(listing.where)
        undrawn = sum(_count(listing.read(part)) - _count(read(part)) for part in parts)
        return +Counter({**listing.passed_over(), _passed_over.UNDRAWN: undrawn})

    return replace(listing, read=read, passed_over=passed_over)


def _count(by_class: Files) -> int:
    return sum(map(len, by_class.values()))


def _rows(by_class: Files) -> tuple[list[Entry], NDArray[np.int64]]:
    """Return all files in their order, and the index of each one's class."""
    counts = [len(some) for some in by_class.values()]
    files = [file for some in by_class.values() for file in some]
    return files, np.repeat(np.arange(len(counts)), counts)


def _at(by_class: Files, rows: NDArray[np.int64]) -> Files:
    """Return the files of some rows by class; a class may become empty."""
    chosen, first = set(rows.tolist()), 0
    result: dict[str, list[Entry]] = {}
    for label, some in by_class.items():
        result[label] = [file for row, file in enumerate(some, first) if row in chosen]
        first += len(some)
    return result


def need_apart(listing: Listing) -> None:
    """Raise DataError where a group is in several parts of the data themselves."""
    if listing.group_of is None:
        return
    part_of: dict[str, str] = {}
    for part in listing.where:
        for file in (file for some in listing.read(part).values() for file in some):
            group = listing.group_of(listing.name(file))
            if part_of.setdefault(group, part) != part:
                raise DataError(
                    f"the group {group!r} is in two parts, {part_of[group]} and {part}",
                    found=str(file),
                    remedy="move its images into one part, or drop the parts and take --test 0.1",
                )
