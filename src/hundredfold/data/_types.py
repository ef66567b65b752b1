"""The types of a data set: named parts of uint8 images with labels, opened on demand."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold import cache
from hundredfold.data._image import Picture
from hundredfold.data._packed import Pixels


def _folder() -> Path | None:
    variable = os.environ.get("HUNDREDFOLD_DATA")
    return Path(variable).expanduser() if variable else None


def _offline() -> bool:
    return os.environ.get("HUNDREDFOLD_OFFLINE", "").lower() in ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Labelled:
    """Images and labels in memory.

    images: (n, height, width, 3) uint8, or one object per image.
    labels: (n,), class indices.
    """

    images: NDArray[np.uint8] | Sequence[Picture]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class InMemory:
    """Labelled images that the caller holds in memory.

    parts:   "train", and optionally "validation" and "test".
    classes: class names, by index.
    size:    height and width in pixels of a run's images; 0 leaves it to `arrays`.
    """

    parts: Mapping[str, Labelled]
    classes: tuple[str, ...]
    size: int = 0


@dataclass(frozen=True)
class Source:
    """Where the data are: options of a command, never of a recipe.

    folder:    folder of the data (`--data-dir`, HUNDREDFOLD_DATA); read, never written.
    cache:     folder for downloads and decoded images (HUNDREDFOLD_CACHE, else the user's cache).
    offline:   whether the network is forbidden (HUNDREDFOLD_OFFLINE=1).
    in_memory: images passed from Python; the data set `arrays` loads them.
    """

    folder: Path | None = field(default_factory=_folder)
    cache: Path = field(default_factory=cache.location)
    offline: bool = field(default_factory=_offline)
    in_memory: InMemory | None = None


@dataclass(frozen=True)
class Split:
    """Rows of a part. Splits of one part have the same pixels; only their indices differ.

    pixels:  (n, height, width, 3) uint8, the whole part, memory-mapped, read-only; or packed,
             which is indexed in the same way and never converted as a whole.
    labels:  (n,), indices in `DataSet.classes`, the whole part.
    indices: rows of the split, ascending.
    names:   one file name per row of pixels where the images are files, else ().
    """

    pixels: Pixels
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def files(self, part: str) -> list[str]:
        """Return the file name of each row of the split; "train/123" where rows are no files.

        part: the name of the part of the data set to which the rows belong.
        """
        rows = self.indices.tolist()
        return [self.names[row] if self.names else f"{part}/{row}" for row in rows]


@dataclass(frozen=True)
class DataSet:
    """A data set whose parts are opened on demand, so that training never reads the test part.

    superclass_of: index in `superclasses` for each class; both are () without superclasses.
    size:          height and width of every image in pixels.
    digest:        sha256 over pixels, labels and class names of the training part and, where
                   there is one, the validation part.
    parts:         "train", and optionally "validation" and "test"; each call opens the part.
    bundled:       whether it ships with the package or is generated, so that it reads no folder.
    mirrors:       whether mirrored images keep their class, so that flips may augment them.
    notes:         a sentence on each file left out of, or oddity in, the training data.
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
