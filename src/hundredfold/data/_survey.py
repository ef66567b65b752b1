"""Look at a folder of images without decoding it, and measure how fast it would be decoded."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np

from hundredfold.data import _decoding, _files, _scan, _walk
from hundredfold.data._image import dimensions
from hundredfold.data._subset import drawn

_SAMPLED = 256  # files whose headers are read, or that are decoded at most


@dataclass(frozen=True)
class Survey:
    """A folder of images as it is, without decoding it.

    counts: part ("train", "validation", "test") -> class -> number of files.
    bytes:  size of all files together.
    sizes:  (width, height) in pixels of a sample of training images, from their headers.
    sample: training files, spread over the classes, that `decode_rate` reads.
    """

    root: Path
    counts: Mapping[str, Mapping[str, int]]
    bytes: int
    sizes: tuple[tuple[int, int], ...]
    sample: tuple[Path, ...]

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


def survey(folder: Path) -> Survey:
    """Count the images of a folder of class folders, and read the headers of a sample.

    Files are listed and their sizes added up; a few hundred training files are opened. 100,000
    files take about a second. Raises DataError as `image_folder` does for an unusable folder.
    """
    with _files.reading():
        layout = _scan.layout(folder)
        files = {"train": _scan.training_classes(layout)}
        files |= {part: _scan.classes(layout, part) for part in layout.parts if part != "train"}
        total = sum(
            file.stat().st_size
            for classes in files.values()
            for paths in classes.values()
            for file in paths
        )
    sample = _sample(layout.root, files["train"])
    sizes = []
    with catch_warnings():
        simplefilter("ignore")
        for file in sample:
            with suppress(Exception):  # decoders raise anything; decoding names such files
                sizes.append(dimensions(file))
    counts = {
        part: {name: len(paths) for name, paths in classes.items()}
        for part, classes in files.items()
    }
    return Survey(layout.root, counts, total, tuple(sizes), sample)


def decode_rate(survey: Survey, size: int, seconds: float) -> float:
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
            list(pool.map(lambda file: _decoding.image(file, size, ""), files))
            done += len(files)
    return done / max(time.perf_counter() - began, 1e-9)


def _sample(root: Path, classes: Mapping[str, list[Path]]) -> tuple[Path, ...]:
    """Return about `_SAMPLED` files in an order that mixes the classes."""
    files = [file for paths in classes.values() for file in paths]
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in classes.values()])
    rows = drawn(list(_walk.names(root, files)), labels, _SAMPLED)
    mixed = np.random.PCG64(0).random_raw(len(rows)).argsort(kind="stable")
    return tuple(files[row] for row in rows[mixed][: 2 * _SAMPLED])
