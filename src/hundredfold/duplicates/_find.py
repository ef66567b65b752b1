"""Find near-duplicates among thumbnails; results are cached by the images' digests."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold.cache import Store
from hundredfold.duplicates import _near
from hundredfold.duplicates._near import Near
from hundredfold.duplicates._pictures import pictures
from hundredfold.progress_bar import progress

MOST_PAIRS = 4 * 10**10  # images x references; more takes over ten minutes on two cores
_SHOWN = 10**7  # pairs from which progress is shown
_KEPT = 50  # searches in the cache
_VERSION = 8  # raise it when results or their format may change
_TYPES = {"rows": np.int64, "reference": np.int64, "agreement": np.float32}

Thumbnails = NDArray[np.uint8]


def find_within(cache: Path, images: Thumbnails) -> Near | None:
    """Return the near-duplicates within a set of images; None for more than MOST_PAIRS pairs.

    cache: folder for the results. images: (n, 32, 32, 3) uint8 thumbnails.
    """
    return _find(cache, images, None)


def find_across(cache: Path, images: Thumbnails, references: Thumbnails) -> Near | None:
    """Return the near-duplicates of images among references; None for more than MOST_PAIRS.

    cache: folder for the results. images, references: (n, 32, 32, 3) uint8 thumbnails.
    """
    return _find(cache, images, references)


def _find(cache: Path, images: Thumbnails, references: Thumbnails | None) -> Near | None:
    pairs = len(images) * len(images if references is None else references)
    if pairs > MOST_PAIRS:
        return None
    store = Store(cache, "near-duplicates", version=_VERSION, keep=_KEPT)
    key = store.key(_digest(images), None if references is None else _digest(references))
    if (stored := _parse(store.load(key))) is not None:
        return stored
    text = f"looking for near-duplicates of {len(images):,} images (once)"
    shown = text if pairs > _SHOWN else ""
    with progress(shown, len(images), count=True) as advance:
        near = _search(images, references, advance)
    stored_value = {name: getattr(near, name).tolist() for name in _TYPES}
    store.save(key, stored_value | {"threshold": near.threshold})
    return near


def _digest(images: Thumbnails) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


def _search(
    images: Thumbnails, references: Thumbnails | None, advance: Callable[[int], object]
) -> Near:
    prepared = pictures(images)
    near = (
        _near.within(prepared, advance)
        if references is None
        else _near.across(prepared, pictures(references), advance)
    )
    return _near.joined(_equal(images, references), near)


def _equal(images: Thumbnails, references: Thumbnails | None) -> Near:
    """Return the pairs with equal pixels: each image with the first equal one.

    `_near` misses these for images of one colour, which have no descriptor.
    """
    first: dict[bytes, int] = {}
    for row, image in enumerate(images if references is None else references):
        first.setdefault(image.tobytes(), row)
    pairs = [(row, first.get(image.tobytes(), -1)) for row, image in enumerate(images)]
    equal_rows = [
        (row, partner)
        for row, partner in pairs
        if partner >= 0 and (references is not None or partner < row)
    ]
    rows, partners = np.array(equal_rows, np.int64).reshape(-1, 2).T
    if references is None:
        rows, partners = partners, rows
    return Near(rows, partners, np.ones(len(rows), np.float32))


def _parse(value: object) -> Near | None:
    if not isinstance(value, dict):
        return None
    arrays = (np.array(value[name], kind) for name, kind in _TYPES.items())
    rows, reference, agreement = arrays
    return Near(rows, reference, agreement, float(value["threshold"]))
