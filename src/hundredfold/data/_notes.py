"""The notes on a folder that are logged before training: files left out, and oddities."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import duplicates
from hundredfold.cache import Store
from hundredfold.data import _passed_over, _scan, _sizes, _store
from hundredfold.data._listing import Listing
from hundredfold.data._packed import SUM, Packed
from hundredfold.data._types import Split
from hundredfold.data._walk import Entry
from hundredfold.wording import plural

_SHOWN = 3
_COMPARED = 2000  # images that are compared for near-duplicates: two seconds of one core
_BLOCK = 256  # images
_KEPT = 200  # data sets whose notes stay
_OPENED = 16  # files whose grey levels are looked at
_DARK = 2**13  # of 65,536 grey levels
_VERSION = 6  # raise it when another note could be written


def notes(
    cache: Path,
    root: Path,
    parts: Mapping[str, _store.Part],
    classes: tuple[str, ...],
    files: Sequence[Entry] = (),
) -> tuple[str, ...]:
    """Return notes on the parts that training sees, one sentence each.

    files: those of the training part, of which a few are opened.

    Up to a few thousand images are compared for near-duplicates, more only for equal ones, which
    takes no longer than reading them. The notes are cached for the same images and classes.
    """
    unreadable = [left_out(root, part) for part in parts.values() if part.left_out]
    store = Store(cache, "notes", version=_VERSION, keep=_KEPT)
    key = store.key(_store.digest(parts.values(), classes))
    odd = store.load(key)
    if odd is None:
        odd = [*dark(files), *_odd(cache, parts, classes)]
        store.save(key, odd)
    see = [f"see: hundredfold data check {root}"] if unreadable or odd else []
    return (*unreadable, *odd, *see)


def of_listing(listing: Listing, others: Iterable[str]) -> tuple[str, ...]:
    """Return the notes on a listing before others: names, and the files that are passed over."""
    own = (*listing.notes, *_passed_over.sentences(listing.passed_over()))
    return tuple(map(_scan.shown, (*own, *others)))


def left_out(root: object, part: _store.Part) -> str:
    """Return a sentence on the files of a part that could not be read, with the reasons."""
    first = "; ".join(f"{name} ({reason})" for name, reason in part.left_out[:_SHOWN])
    count, total = len(part.left_out), len(part.left_out) + len(part.names)
    more = f"; and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return f"left out {count:,} of {total:,} files of {root} that cannot be read: {first}{more}"


def dark(files: Sequence[Entry]) -> Iterator[str]:
    """Yield a sentence where 16-bit images use a small part of their grey levels."""
    highest = [_sizes.highest_grey(file) for file in files[:: max(1, len(files) // _OPENED)]]
    found = [value for value in highest if value is not None]
    if found and max(found) < _DARK:
        yield (
            f"16-bit images use grey levels up to {max(found):,} of 65,535, so they are almost "
            "black: scale them to the full range, or save them with 8 bits"
        )


def _odd(cache: Path, parts: Mapping[str, _store.Part], classes: tuple[str, ...]) -> Iterator[str]:
    opened = {name: part.open() for name, part in parts.items()}
    counts = np.bincount(opened["train"].labels, minlength=len(classes))
    if single := [classes[row] for row in np.flatnonzero(counts == 1)]:
        shown = ", ".join(map(repr, single[:_SHOWN])) + (", ..." if len(single) > _SHOWN else "")
        count = plural(len(single), "class", "classes")
        yield f"{count} of one image only, trained on and never validated: {shown}"
    near = _pairs(cache, list(opened.values()))
    few = sum(map(len, opened.values())) <= _COMPARED
    if near.too_alike:
        yield "the images are too alike to tell near-duplicates from different pictures"
    part = np.concatenate([np.full(len(s), number) for number, s in enumerate(opened.values())])
    labels = np.concatenate([s.labels for s in opened.values()])
    across = part[near.rows] != part[near.reference]
    contradicting = labels[near.rows] != labels[near.reference]
    if pairs := int(np.sum(~across)):
        nearly = "the same, or nearly so" if few else "equal"
        yield f"{plural(pairs, 'pair')} of images of one part that are {nearly}"
    if images := len(np.unique(near.reference[across])):
        nearly = ", or nearly the same" if few else ""
        yield f"{plural(images, 'validation image')} that training sees too{nearly}"
    if pairs := int(np.sum(contradicting)):
        yield f"{plural(pairs, 'of these pairs', 'of these pairs')} in two classes"


def _pairs(cache: Path, splits: Sequence[Split]) -> duplicates.Near:
    """Return pairs of near-duplicates; of equal images where there are many."""
    if sum(map(len, splits)) > _COMPARED:
        return duplicates.equal(np.concatenate([_sums(split) for split in splits]))
    thumbnails = [duplicates.thumbnails(split.pixels, split.indices) for split in splits]
    near = duplicates.find_within(cache, np.concatenate(thumbnails))
    assert near is not None  # there are few enough
    return near


def _sums(split: Split) -> NDArray[np.uint8]:
    """Return a digest (16 bytes) of each image of a split."""
    if isinstance(split.pixels, Packed):
        return split.pixels.sums[split.indices]
    sums = []
    for start in range(0, len(split), _BLOCK):
        block = np.ascontiguousarray(split.pixels[split.indices[start : start + _BLOCK]])
        sums += [hashlib.sha256(image.data).digest()[:SUM] for image in block]
    return np.frombuffer(b"".join(sums), np.uint8).reshape(-1, SUM)
