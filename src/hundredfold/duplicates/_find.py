"""Near-duplicates among thumbnails, found once for the same images and kept in the cache."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold.cache import Store
from hundredfold.duplicates import _near
from hundredfold.duplicates._near import Near
from hundredfold.duplicates._pictures import pictures
from hundredfold.progress_bar import progress

MOST_PAIRS = 2 * 10**10  # images times images that are compared; over ten minutes on two cores
_SHOWN = 10**7  # so many take long enough to show progress
_KEPT = 50  # searches
_VERSION = 2  # raise it when another pair could be found
_TYPES = {"rows": np.int64, "known": np.int64, "agreement": np.float32}

Thumbnails = NDArray[np.uint8]


def find_within(cache: Path, images: Thumbnails) -> Near | None:
    """Return the near-duplicates among thumbnails (n, 32, 32, 3), or None for too many images."""
    return _find(cache, images, None)


def find_across(cache: Path, images: Thumbnails, known: Thumbnails) -> Near | None:
    """Return the near-duplicates of images among known ones, or None for too many."""
    return _find(cache, images, known)


def _find(cache: Path, images: Thumbnails, known: Thumbnails | None) -> Near | None:
    pairs = len(images) * len(images if known is None else known)
    if pairs > MOST_PAIRS:
        return None
    store = Store(cache, "near-duplicates", version=_VERSION, keep=_KEPT)
    key = store.key(_digest(images), None if known is None else _digest(known))
    if (stored := _parse(store.load(key))) is not None:
        return stored
    text = f"looking for near-duplicates of {len(images):,} images (once)"
    with progress(text if pairs > _SHOWN else "", None):
        near = _search(images, known)
    store.save(key, {name: getattr(near, name).tolist() for name in _TYPES})
    return near


def _digest(images: Thumbnails) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


def _search(images: Thumbnails, known: Thumbnails | None) -> Near:
    mine = pictures(images)
    near = _near.within(mine) if known is None else _near.across(mine, pictures(known))
    return _near.joined(_equal(images, known), near)


def _equal(images: Thumbnails, known: Thumbnails | None) -> Near:
    """Pair each image with the first that has the same pixels, plain ones included."""
    first: dict[bytes, int] = {}
    for row, image in enumerate(images if known is None else known):
        first.setdefault(image.tobytes(), row)
    pairs = [(row, first.get(image.tobytes(), -1)) for row, image in enumerate(images)]
    same = [
        (row, other) for row, other in pairs if other >= 0 and (known is not None or other < row)
    ]
    rows, others = np.array(same, np.int64).reshape(-1, 2).T
    if known is None:
        rows, others = others, rows
    return Near(rows, others, np.ones(len(rows), np.float32))


def _parse(value: object) -> Near | None:
    if not isinstance(value, dict):
        return None
    return Near(*(np.array(value[name], kind) for name, kind in _TYPES.items()))
