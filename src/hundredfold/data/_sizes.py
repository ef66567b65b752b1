"""The size at which images are decoded where the user names none."""

from collections.abc import Iterable
from contextlib import suppress
from statistics import median
from warnings import catch_warnings, simplefilter

import numpy as np

from hundredfold.data import _image
from hundredfold.data._image import dimensions
from hundredfold.data._listing import Listing
from hundredfold.data._walk import Entry

LEAST, MOST, STEP = 32, 64, 8  # pixels
_SAMPLE = 256  # images


def automatic(listing: Listing) -> int:
    """Return the median shorter side of a sample of the training images, in [32, 64] pixels.

    It is rounded down to a multiple of 8. Images whose header cannot be read do not count.
    """
    files = [file for some in listing.read("train").values() for file in some]
    rows = np.unique(np.linspace(0, len(files) - 1, min(_SAMPLE, len(files))).astype(int))
    sides = [min(shape) for shape in shapes(files[row] for row in rows)]
    side = int(median(sides)) if sides else LEAST
    return max(LEAST, min(MOST, side // STEP * STEP))


def shapes(files: Iterable[Entry]) -> list[tuple[int, int]]:
    """Return width and height in pixels from each header that can be read."""
    found = []
    with catch_warnings():
        simplefilter("ignore")
        for file in files:
            with suppress(Exception):  # decoders raise anything; decoding names such files
                found.append(dimensions(file))
    return found


def highest_grey(file: Entry) -> int | None:
    """Return the highest 16-bit grey value of a file; None where it has another depth."""
    with catch_warnings():
        simplefilter("ignore")
        with suppress(Exception):  # as above
            return _image.highest_grey(file)
    return None
