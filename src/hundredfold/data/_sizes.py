"""The size at which images are decoded where the user names none."""

from statistics import median

import numpy as np

from hundredfold.data._image import dimensions
from hundredfold.data._listing import Listing
from hundredfold.data._scan import Entry

LEAST, MOST, STEP = 32, 64, 8  # pixels
_SAMPLE = 256  # images


def automatic(listing: Listing) -> int:
    """Return the median shorter side of a sample of the training images, in [32, 64] pixels.

    It is rounded down to a multiple of 8. Images whose header cannot be read do not count.
    """
    files = [file for some in listing.read("train").values() for file in some]
    rows = np.unique(np.linspace(0, len(files) - 1, min(_SAMPLE, len(files))).astype(int))
    sides = [side for row in rows if (side := _shorter_side(files[row]))]
    side = int(median(sides)) if sides else LEAST
    return max(LEAST, min(MOST, side // STEP * STEP))


def _shorter_side(file: Entry) -> int:
    """Return the shorter side in pixels, from the header; 0 where there is none."""
    try:
        return min(dimensions(file))
    except Exception:  # decoders raise anything; the file is named when it is decoded
        return 0
