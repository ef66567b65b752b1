"""Handwritten digits: 1,797 real 8x8 images that ship with the package.

They are the test set of the Optical Recognition of Handwritten Digits (E. Alpaydin and
C. Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0); see digits.txt.
"""

from importlib.resources import files
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold.data import _store
from hundredfold.data._rows import Rows
from hundredfold.data._split import stratified
from hundredfold.data._types import DataSet, Source
from hundredfold.size import PlainSize, Size
from hundredfold.spec import Sides

TEST_FRACTION = 0.2  # split with seed 0, always: 1,438 training and 359 test images
_CLASSES = tuple(str(digit) for digit in range(10))


def digits(source: Source, *, size: Annotated[PlainSize, Sides(8, 512)] = 32) -> DataSet:
    """Load ten classes of handwritten digits, enlarged to height x width x 3.

    size: height and width, each 8 to 512 pixels, or "HEIGHTxWIDTH"; the grey 8x8 original is
        enlarged bicubically.
    """
    pixels = Size.of(size)

    def part(test: bool) -> _store.Part:
        group, key = f"digits/{'test' if test else 'train'}", f"digits size={pixels} test={test}"
        return _store.prepare(source.cache, group, key, lambda: _decode(pixels, test))

    train = part(test=False)
    return DataSet(
        name="digits",
        classes=_CLASSES,
        superclasses=(),
        superclass_of=(),
        size=pixels,
        digest=_store.digest([train], _CLASSES),
        parts={"train": train.open, "test": lambda: part(test=True).open()},
        bundled=True,
        mirrors=False,
    )


def _decode(size: Size, test: bool) -> Rows:
    originals, labels = _originals()
    rows = stratified(labels, TEST_FRACTION, seed=0)[int(test)]
    return Rows(labels[rows], size, (_enlarged(grey, size)[None] for grey in originals[rows]))


def _originals() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the shipped images (1797, 8, 8), in 0..16, and labels (1797,)."""
    path = files("hundredfold.data") / "digits.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"].astype(np.int64)


def _enlarged(grey: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return an (8, 8) image in 0..16 as (height, width, 3) in 0..255."""
    image = Image.fromarray((grey * (255 / 16)).astype(np.float32))
    enlarged = np.asarray(image.resize((size.width, size.height), Image.Resampling.BICUBIC))
    pixels = np.clip(enlarged.round(), 0, 255).astype(np.uint8)
    return np.repeat(pixels[:, :, None], 3, axis=2)
