"""What a data set is: named parts of uint8 images with labels, opened when they are called."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import cache
from hundredfold.data._image import Picture


def _folder() -> Path | None:
    named = os.environ.get("HUNDREDFOLD_DATA")
    return Path(named).expanduser() if named else None


def _offline() -> bool:
    return os.environ.get("HUNDREDFOLD_OFFLINE", "").lower() in ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Labelled:
    """Images, uint8 (n, height, width, 3) or one object each, and labels, positions in classes."""

    images: NDArray[np.uint8] | Sequence[Picture]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Given:
    """Labelled images that somebody holds in memory.

    parts:   "train", maybe "validation", maybe "test": images and a label each.
    classes: the names of the classes, in their order.
    size:    height and width that a run knows; 0 leaves it to `arrays`.
    """

    parts: Mapping[str, Labelled]
    classes: tuple[str, ...]
    size: int = 0


@dataclass(frozen=True)
class Source:
    """Where data lie: options of a command, never of a recipe.

    folder:  where the user keeps the data (`--data-dir`, HUNDREDFOLD_DATA); read, never written.
    cache:   where downloads and decoded images go (HUNDREDFOLD_CACHE, else the user's cache).
    offline: whether the network is forbidden (HUNDREDFOLD_OFFLINE=1).
    given:   images that were handed over in Python; the data set `arrays` takes them.
    """

    folder: Path | None = field(default_factory=_folder)
    cache: Path = field(default_factory=cache.location)
    offline: bool = field(default_factory=_offline)
    given: Given | None = None


@dataclass(frozen=True)
class Split:
    """Rows of a part. Splits of one part share its pixels; only their indices differ.

    pixels:  (n, height, width, 3), the whole part, memory-mapped, read-only.
    labels:  (n,), positions in `DataSet.classes`, the whole part.
    indices: the rows that belong to the split, ascending.
    names:   one file name per row of pixels where the images are files, else empty.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class DataSet:
    """A data set whose parts are opened only when called, so that training never reads test.

    superclass_of: for each class its position in `superclasses`; both are () without them.
    size:          height and width of every image in pixels.
    digest:        sha256 over pixels, labels and class names of what training sees: the
                   training part and, where the set brings one, its validation part.
    parts:         "train", maybe "validation", maybe "test".
    bundled:       whether it comes with the package or is drawn, so that it reads no folder.
    mirrors:       whether an image's mirror image is as good an image of its class.
    notes:         what was left out of, or is odd in, what training sees; a sentence each.
    """

    name: str
    classes: tuple[str, ...]
    superclasses: tuple[str, ...]
    superclass_of: tuple[int, ...]
    size: int
    digest: str
    parts: Mapping[str, Callable[[], Split]]
    bundled: bool = False
    mirrors: bool = True
    notes: tuple[str, ...] = ()
