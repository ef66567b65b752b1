"""Near-duplicates: the same picture mirrored, re-encoded, or slightly shifted, zoomed or cropped.

Descriptors, compared all with all, select candidates. Each candidate is registered with its
image, and is a near-duplicate where brightness and fine detail agree better than different
pictures of this very set do by chance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hundredfold.duplicates._chance import MOST, judged
from hundredfold.duplicates._compare import compared
from hundredfold.duplicates._pictures import Pictures
from hundredfold.duplicates._thumbnails import Floats


@dataclass(frozen=True)
class Near:
    """Pairs of near-duplicates.

    rows, reference: (pairs,), rows of the images and of the reference images.
    agreement:       (pairs,), in [-1, 1]; in a set of mixed pictures, how likely one shot is.
    threshold:       agreement from which a pair counts.
    """

    rows: NDArray[np.int64]
    reference: NDArray[np.int64]
    agreement: Floats
    threshold: float = 0.0

    @property
    def too_alike(self) -> bool:
        """Whether different pictures agree so well that near-duplicates cannot be told."""
        return self.threshold > MOST


_NONE = Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


Advance = Callable[[int], object]  # is called with the number of images that were compared


def _silent(_done: int) -> None:
    pass


def across(images: Pictures, references: Pictures, advance: Advance = _silent) -> Near:
    """Return the pairs of an image and a reference image that show the same picture."""
    return pairs(images, references, None, advance)


def within(images: Pictures, advance: Advance = _silent) -> Near:
    """Return the pairs of two images of a set that show the same picture, each pair once."""
    both = pairs(images, images, np.arange(len(images)), advance)
    low, high = np.minimum(both.rows, both.reference), np.maximum(both.rows, both.reference)
    return joined(Near(low, high, both.agreement, both.threshold), _NONE)


def joined(first: Near, second: Near) -> Near:
    """Return the union of two sets of pairs, sorted by row and then by falling agreement."""
    rows, references = (
        np.concatenate([getattr(n, k) for n in (first, second)]) for k in ("rows", "reference")
    )
    agreed = np.concatenate([first.agreement, second.agreement])
    order = np.lexsort((-agreed, rows))
    both = np.stack([rows[order], references[order]])
    order = order[np.sort(np.unique(both, axis=1, return_index=True)[1])]
    limit = max(first.threshold, second.threshold)
    return Near(rows[order], references[order], agreed[order], limit)


def pairs(
    images: Pictures,
    references: Pictures,
    not_row: NDArray[np.int64] | None,
    advance: Advance = _silent,
) -> Near:
    """Return the pairs above the threshold, sorted by row and then by falling agreement.

    There are none where different pictures are too alike to tell.

    not_row: (n,), for each image a reference row that is excluded, such as the image itself.
    """
    if not len(images) or not len(references):
        return _NONE
    found = compared(images, references, not_row, advance=advance)
    values, limit = judged(images, references, not_row, found)
    good = (values >= limit) & (limit <= MOST)
    kept = found.pairs[np.flatnonzero(good)]
    return joined(Near(kept.rows, kept.reference, values[good], limit), _NONE)
