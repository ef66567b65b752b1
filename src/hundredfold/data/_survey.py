"""Look at own images without decoding them, and measure how fast they would be decoded."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from hundredfold.data import _decoding, _files, _scan, _sizes, _sources
from hundredfold.data._image import Resize, resize_of
from hundredfold.data._listing import Files, Listing
from hundredfold.data._subset import drawn
from hundredfold.data._types import Source
from hundredfold.data._walk import Entry, names, size_and_times
from hundredfold.size import SizeLike

_SAMPLED = 256  # files whose headers are read, or that are decoded at most


@dataclass(frozen=True)
class Survey:
    """Own images as they are, without decoding them.

    counts: part ("train", "validation", "test") -> class -> number of files.
    bytes:  size of all files together.
    sizes:  (width, height) in pixels of a sample of training images, from their headers.
    sample: training files, spread over the classes, that `decode_rate` reads.
    resize: what becomes of an image of another aspect.
    """

    counts: Mapping[str, Mapping[str, int]]
    bytes: int
    sizes: tuple[tuple[int, int], ...]
    sample: tuple[Entry, ...]
    resize: Resize = "crop"

    def images(self, part: str) -> int:
        """Return the number of files of a part; 0 where there is no such part."""
        return sum(self.counts.get(part, {}).values())

    @property
    def classes(self) -> tuple[str, ...]:
        """The training classes, sorted."""
        return tuple(self.counts["train"])

    @property
    def side(self) -> int:
        """The median of the shorter sides in pixels; 0 where no header could be read."""
        return int(np.median([min(size) for size in self.sizes])) if self.sizes else 0


def survey(options: Mapping[str, Any], source: Source) -> Survey:
    """Count the images of a source, and read the headers of a sample.

    options: those of `image_folder`; they choose labels, the test part and the subset.

    Files are listed and their sizes added up; a few hundred training files are opened. 100,000
    files of a folder take about a second. Raises UsageError and DataError as `image_folder` does.
    """
    with _files.reading():
        listing = _sources.listing_of(options, source)
        parts = {part: listing.read(part) for part in listing.where}
        _scan.need_classes(parts["train"], listing.where["train"])
        every = (file for files in parts.values() for some in files.values() for file in some)
        total = sum(size_and_times(file)[0] for file in every)
    sample = _sample(listing, parts["train"])
    counts = {
        part: {name: len(some) for name, some in files.items()} for part, files in parts.items()
    }
    return Survey(counts, total, tuple(_sizes.shapes(sample)), sample, resize_of(options))


def decode_rate(survey: Survey, size: SizeLike, seconds: float) -> float:
    """Measure images per second of decoding files to `size` pixels, with the threads of decoding.

    seconds: when the measurement ends, except that a few images a thread are always decoded.
    Files that nobody has read since the start of the machine are slower the first time.
    """
    step = 4 * _decoding.threads()
    began, done = time.perf_counter(), 0
    with catch_warnings(), ThreadPoolExecutor(_decoding.threads()) as pool:
        simplefilter("ignore")
        while done < len(survey.sample) and (not done or time.perf_counter() - began < seconds):
            files = survey.sample[done : done + step]
            list(pool.map(lambda file: _decoding.image(file, size, "", survey.resize), files))
            done += len(files)
    return done / max(time.perf_counter() - began, 1e-9)


def _sample(listing: Listing, classes: Files) -> tuple[Entry, ...]:
    """Return about `_SAMPLED` files in an order that mixes the classes."""
    files = [file for some in classes.values() for file in some]
    labels = np.repeat(np.arange(len(classes)), [len(some) for some in classes.values()])
    rows = drawn(list(names(listing.root, files)), labels, _SAMPLED)
    mixed = np.random.PCG64(0).random_raw(len(rows)).argsort(kind="stable")
    return tuple(files[row] for row in rows[mixed][: 2 * _SAMPLED])
