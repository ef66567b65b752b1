"""The types of a data set: named parts of uint8 images with labels, opened on demand."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import cache
from hundredfold.data._image import Picture
from hundredfold.data._packed import Pixels
from hundredfold.data._tables import is_table
from hundredfold.paths import expanded
from hundredfold.size import PlainSize, Size


def _folder() -> Path | None:
    variable = os.environ.get("HUNDREDFOLD_DATA")
    return expanded(variable) if variable else None


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
    size:    of a run's images in pixels; 0 leaves it to `arrays`.
    """

    parts: Mapping[str, Labelled]
    classes: tuple[str, ...]
    size: PlainSize = 0


@dataclass(frozen=True)
class Source:
    """Where the data are: options of a command, never of a recipe.

    folder:    folder of the data (`--data-dir`, HUNDREDFOLD_DATA), or an archive or a table of
               images; read, never written.
    cache:     folder for downloads and decoded images (HUNDREDFOLD_CACHE, else the user's cache).
    offline:   whether the network is forbidden (HUNDREDFOLD_OFFLINE=1).
    in_memory: images passed from Python; the data set `arrays` loads them.
    images:    folder or archive of the images that a table names; None is the table's folder.
    labels:    file of corrected labels (`--labels`), whose digest the recipe has.
    """

    folder: Path | None = field(default_factory=_folder)
    cache: Path = field(default_factory=cache.location)
    offline: bool = field(default_factory=_offline)
    in_memory: InMemory | None = None
    images: Path | None = None
    labels: Path | None = None

    def as_before(self, facts: Mapping[str, Any]) -> "Source":
        """Return the source with the paths of a run's data where this one names none.

        facts: `data` of run.json. A folder beside the table of a run is that of its images.
        """
        before = {k: Path(facts[k]) for k in ("folder", "images", "labels") if facts.get(k)}
        folder, images = before.get("folder"), before.get("images")
        labels = self.labels or before.get("labels")
        if self.folder in (None, folder):
            return replace(self, folder=folder, images=self.images or images, labels=labels)
        if folder and is_table(folder) and self.folder.is_dir() and self.folder != _folder():
            return replace(self, folder=folder, images=self.folder, labels=labels)
        return replace(self, labels=labels)


@dataclass(frozen=True)
class Split:
    """Rows of a part. Splits of one part have the same pixels; only their indices differ.

    pixels:  (n, height, width, 3) uint8, the whole part, memory-mapped, read-only; or packed,
             which is indexed in the same way and never converted as a whole.
    labels:  (n,), indices in `DataSet.classes`, the whole part.
    indices: rows of the split, ascending.
    names:   one file name per row of pixels where the images are files, else ().
    groups:  (n,), index of what must stay within one split, the whole part; None without groups.
    """

    pixels: Pixels
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    names: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None

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
    size:          of every image in pixels.
    digest:        sha256 over pixels, labels and class names of the training part and, where
                   there is one, the validation part.
    parts:         "train", and optionally "validation" and "test"; each call opens the part.
    bundled:       whether it ships with the package or is generated, so that it reads no folder.
    mirrors:       whether mirrored images keep their class, so that flips may augment them.
    notes:         a sentence on each file left out of, or oddity in, the training data.
    resolved:      options that were automatic, with the values they became.
    paths:         "images" and "labels" of the source, absolute, where it has them.
    copy:          the folder or archive that a published data set is read from.
    """

    name: str
    classes: tuple[str, ...]
    superclasses: tuple[str, ...]
    superclass_of: tuple[int, ...]
    size: Size
    digest: str
    parts: Mapping[str, Callable[[], Split]]
    bundled: bool = False
    mirrors: bool = True
    notes: tuple[str, ...] = ()
    resolved: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    copy: Path | None = None
