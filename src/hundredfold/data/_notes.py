"""The notes on a folder that are logged before training: files left out, and oddities."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hundredfold import duplicates
from hundredfold.cache import Store
from hundredfold.data import _store
from hundredfold.wording import plural

_SHOWN = 3
_KEPT = 200  # data sets whose notes stay
_VERSION = 2  # raise it when another note could be written


def notes(
    cache: Path, root: Path, parts: Mapping[str, _store.Part], classes: tuple[str, ...]
) -> tuple[str, ...]:
    """Return notes on the parts that training sees, one sentence each.

    All pairs of images are compared for near-duplicates. The notes are cached for the same
    images and classes.
    """
    unreadable = [left_out(root, part) for part in parts.values() if part.left_out]
    store = Store(cache, "notes", version=_VERSION, keep=_KEPT)
    key = store.key(_store.digest(parts.values(), classes))
    odd = store.load(key)
    if odd is None:
        odd = list(_odd(cache, parts, classes))
        store.save(key, odd)
    see = [f"see: hundredfold data check {root}"] if unreadable or odd else []
    return (*unreadable, *odd, *see)


def left_out(root: object, part: _store.Part) -> str:
    """Return a sentence on the files of a part that could not be read, with the reasons."""
    first = "; ".join(f"{name} ({reason})" for name, reason in part.left_out[:_SHOWN])
    count, total = len(part.left_out), len(part.left_out) + len(part.names)
    more = f"; and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return f"left out {count:,} of {total:,} files of {root} that cannot be read: {first}{more}"


def _odd(cache: Path, parts: Mapping[str, _store.Part], classes: tuple[str, ...]) -> Iterator[str]:
    opened = {name: part.open() for name, part in parts.items()}
    counts = np.bincount(opened["train"].labels, minlength=len(classes))
    if single := [classes[row] for row in np.flatnonzero(counts == 1)]:
        shown = ", ".join(map(repr, single[:_SHOWN])) + (", ..." if len(single) > _SHOWN else "")
        count = plural(len(single), "class", "classes")
        yield f"{count} of one image only, trained on and never validated: {shown}"
    thumbnails = [duplicates.thumbnails(s.pixels, s.indices) for s in opened.values()]
    near = duplicates.find_within(cache, np.concatenate(thumbnails))
    if near is None:
        yield "there are too many images to look for near-duplicates"
        return
    part = np.concatenate([np.full(len(s), number) for number, s in enumerate(opened.values())])
    labels = np.concatenate([s.labels for s in opened.values()])
    across = part[near.rows] != part[near.reference]
    contradicting = labels[near.rows] != labels[near.reference]
    if pairs := int(np.sum(~across)):
        yield f"{plural(pairs, 'pair')} of images of one part that are the same, or nearly so"
    if images := len(np.unique(near.reference[across])):
        yield f"{plural(images, 'validation image')} that training sees too, or nearly the same"
    if pairs := int(np.sum(contradicting)):
        yield f"{plural(pairs, 'of these pairs', 'of these pairs')} in two classes"
