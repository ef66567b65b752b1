"""Images that were handed over in Python: arrays, a table of images, a torch Dataset.

They are used where they lie and never written to disk, so a run does not hold them: to score
or resume it, hand them over again.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _store
from hundredfold.data._image import decode
from hundredfold.data._rows import pixels_digest
from hundredfold.data._types import DataSet, Given, Labelled, Source, Split
from hundredfold.errors import DataError, UsageError

_LARGEST = 1024  # pixels
_OF_FILES = 32  # pixels, as `image_folder` takes them


def arrays(source: Source, *, size: int = 0) -> DataSet:
    """Load the images that were handed over in Python.

    size: height and width in pixels, up to 1024; of each image the centred square is taken.
        0 is the arrays' own size, and 32 for files and images of several sizes.

    Raises UsageError where no images were handed over.
    """
    given = source.given
    if given is None:
        raise UsageError(
            "the images were handed over in Python, and a run does not keep them",
            remedy="hand them over again: data=(images, labels)",
        )
    if not 0 <= size <= _LARGEST:
        raise UsageError(f"arrays(size={size}) is not between 0 and {_LARGEST}")
    size = given.size or size or _own_size(given)
    seen = {name: _split(p, size) for name, p in given.parts.items() if name != "test"}
    parts = {name: partial(_as_it_is, split) for name, split in seen.items()}
    if "test" in given.parts:
        parts["test"] = partial(_split, given.parts["test"], size)
    digests = [pixels_digest(s.pixels, s.labels, size) for s in seen.values()]
    return DataSet(
        name="arrays",
        classes=given.classes,
        superclasses=(),
        superclass_of=(),
        size=size,
        digest=_store.digest_of(digests, given.classes),
        parts=parts,
        notes=_notes(given, size),
    )


def _as_it_is(split: Split) -> Split:
    return split


def _split(part: Labelled, size: int) -> Split:
    pixels, labels = _pixels(part, size).view(), part.labels.view()
    pixels.setflags(write=False)
    labels.setflags(write=False)
    return Split(pixels, labels, np.arange(len(labels)))


def _pixels(part: Labelled, size: int) -> NDArray[np.uint8]:
    images = part.images
    if isinstance(images, np.ndarray) and images.shape[1:3] == (size, size):
        return np.ascontiguousarray(images)
    try:
        made = [decode(image, size, f"image {row}") for row, image in enumerate(images)]
    except DataError as error:
        raise DataError(error.message, remedy="leave it out, or mend it") from None
    return np.stack(made)


def _own_size(given: Given) -> int:
    sides = {
        min(part.images.shape[1:3]) if isinstance(part.images, np.ndarray) else 0
        for part in given.parts.values()
    }
    side = sides.pop()
    return min(side, _LARGEST) if side and not sides else _OF_FILES


def _notes(given: Given, size: int) -> tuple[str, ...]:
    """Say what was cut off or resized of the arrays that training sees."""
    images = next(iter(given.parts.values())).images
    if not isinstance(images, np.ndarray) or images.shape[1:3] == (size, size):
        return ()
    height, width = images.shape[1:3]
    return (f"images of {width} x {height} pixels become the centred {size} x {size}",)
