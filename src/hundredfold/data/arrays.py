"""Images passed from Python: arrays, a DataFrame of images, a torch Dataset.

They stay in memory and are never written to disk. To score or resume a run, pass them again.
"""

from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _store
from hundredfold.data._image import decode
from hundredfold.data._rows import pixels_digest
from hundredfold.data._types import DataSet, InMemory, Labelled, Source, Split
from hundredfold.errors import DataError, UsageError
from hundredfold.size import PlainSize, Size
from hundredfold.spec import Sides

_LARGEST = 1024  # pixels
_OF_FILES = 32  # pixels, the default of `image_folder`


def arrays(source: Source, *, size: Annotated[PlainSize, Sides(0, 1024)] = 0) -> DataSet:
    """Load the images that were passed from Python.

    size: height and width in pixels, each up to 1024, or "HEIGHTxWIDTH"; the largest centred part
        of that aspect of each image is used. 0 means the arrays' own size (the shorter side, as a
        square), and 32 for files and for images of several sizes.

    Raises UsageError where no images were passed.
    """
    in_memory = source.in_memory
    if in_memory is None:
        raise UsageError(
            "the images were passed from Python, and a run does not store them",
            remedy="pass them again: data=(images, labels)",
        )
    pixels = Size.of(in_memory.size or size or _own_size(in_memory))
    seen = {name: _split(p, pixels) for name, p in in_memory.parts.items() if name != "test"}
    parts = {name: partial(_as_it_is, split) for name, split in seen.items()}
    if "test" in in_memory.parts:
        parts["test"] = partial(_split, in_memory.parts["test"], pixels)
    digests = [pixels_digest(np.asarray(s.pixels), s.labels, pixels) for s in seen.values()]
    return DataSet(
        name="arrays",
        classes=in_memory.classes,
        superclasses=(),
        superclass_of=(),
        size=pixels,
        digest=_store.digest_of(digests, in_memory.classes),
        parts=parts,
        notes=_notes(in_memory, pixels),
    )


def _as_it_is(split: Split) -> Split:
    return split


def _split(part: Labelled, size: Size) -> Split:
    pixels, labels = _pixels(part, size).view(), part.labels.view()
    pixels.setflags(write=False)
    labels.setflags(write=False)
    return Split(pixels, labels, np.arange(len(labels)))


def _pixels(part: Labelled, size: Size) -> NDArray[np.uint8]:
    images = part.images
    if isinstance(images, np.ndarray) and images.shape[1:3] == tuple(size):
        return np.ascontiguousarray(images)
    try:
        decoded = [decode(image, size, f"image {row}") for row, image in enumerate(images)]
    except DataError as error:
        raise DataError(error.message, remedy="leave it out, or fix it") from None
    return np.stack(decoded)


def _own_size(in_memory: InMemory) -> int:
    sides = {
        min(part.images.shape[1:3]) if isinstance(part.images, np.ndarray) else 0
        for part in in_memory.parts.values()
    }
    side = sides.pop()
    return min(side, _LARGEST) if side and not sides else _OF_FILES


def _notes(in_memory: InMemory, size: Size) -> tuple[str, ...]:
    """Return a note where the training arrays are cropped or resized."""
    images = next(iter(in_memory.parts.values())).images
    if not isinstance(images, np.ndarray) or images.shape[1:3] == tuple(size):
        return ()
    height, width = images.shape[1:3]
    return (f"images of {width} x {height} pixels become the centred {size.width} x {size.height}",)
