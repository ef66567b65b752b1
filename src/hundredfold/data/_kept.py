"""Near-duplicates found once for the same images, and kept in the cache."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.data import _files, _near
from hundredfold.data._descriptor import pictures, thumbnails
from hundredfold.data._near import Near
from hundredfold.data._progress import progress
from hundredfold.data._types import DataSet

MOST_PAIRS = 2 * 10**10  # images times images that are compared; over ten minutes on two cores
_SHOWN = 10**7  # so many take long enough to tell
_FORMAT = 1  # raise it when another pair could be found


def near_within(cache: Path, images: NDArray[np.uint8]) -> Near | None:
    """Return the near-duplicates among thumbnails (n, 32, 32, 3), or None for too many images."""
    return _kept(cache, images, None)


def near_across(cache: Path, images: NDArray[np.uint8], known: NDArray[np.uint8]) -> Near | None:
    """Return the near-duplicates of images among known ones, or None for too many."""
    return _kept(cache, images, known)


def unseen(data: DataSet, cache: Path) -> NDArray[np.bool_] | None:
    """Return (n,) for the test images: True where training saw nothing nearly the same.

    What training may have seen are the training part and, where the data set brings one, its
    validation part. None where there are too many images to compare, or none of training are
    at hand. Opens the test part.
    """
    if "train" not in data.parts:
        return None
    test = data.parts["test"]()
    images, fresh = thumbnails(test.pixels, test.indices), np.ones(len(test), bool)
    for name in ("train", "validation"):
        if name in data.parts:
            part = data.parts[name]()
            found = near_across(cache, images, thumbnails(part.pixels, part.indices))
            if found is None:
                return None
            fresh[found.rows] = False
    return fresh


def _kept(cache: Path, images: NDArray[np.uint8], known: NDArray[np.uint8] | None) -> Near | None:
    pairs = len(images) * len(images if known is None else known)
    if pairs > MOST_PAIRS:
        return None
    told = hashlib.sha256(f"{_FORMAT} {len(images)} {known is None}".encode())
    for pixels in (images, images[:0] if known is None else known):
        told.update(np.ascontiguousarray(pixels).data)
    note = cache / "near" / f"{told.hexdigest()[:32]}.json"
    if (kept := _read(note)) is not None:
        return kept
    text = f"looking for near-duplicates of {len(images):,} images (once)"
    with progress(text if pairs > _SHOWN else "", None):
        found = _search(images, known)
    with _files.writing(cache):
        note.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(note, {name: getattr(found, name).tolist() for name in _TYPES})
    return found


def _search(images: NDArray[np.uint8], known: NDArray[np.uint8] | None) -> Near:
    mine = pictures(images)
    near = _near.within(mine) if known is None else _near.across(mine, pictures(known))
    return _near.joined(_equal(images, known), near)


def _equal(images: NDArray[np.uint8], known: NDArray[np.uint8] | None) -> Near:
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


_TYPES = {"rows": np.int64, "known": np.int64, "agreement": np.float32}


def _read(note: Path) -> Near | None:
    told = _files.read_json(note)
    try:
        found = Near(*(np.array(told[name], kind) for name, kind in _TYPES.items()))
    except (KeyError, TypeError, ValueError):
        return None
    return found if len(found.rows) == len(found.known) == len(found.agreement) else None
