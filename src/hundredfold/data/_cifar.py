"""Read CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from any of their official layouts.

Each data set is published as binary files and as Python pickles, both as a folder and as an
archive. All four hold the same images in the same order, so they give the same digest.
Archives are read in memory and never extracted to the disk.
"""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _archive, _files, _store
from hundredfold.data._official import Copy, Labelled, Official, find
from hundredfold.data._rows import Rows
from hundredfold.data._types import DataSet, Source
from hundredfold.errors import DataError, HundredfoldWarning
from hundredfold.size import Size

SIDE = 32
PLANES = 3 * SIDE * SIDE  # bytes of an image: red, green and blue plane
_BLOCK = 4096


def cifar(source: Source, official: Official) -> DataSet:
    """Load the data set from the user's folder, the cache or the network, in this order."""
    copy = find(source, official)
    train = _part(source, official, copy, "train")
    return DataSet(
        name=official.name,
        classes=official.classes,
        superclasses=official.superclasses,
        superclass_of=official.superclass_of,
        size=Size(SIDE, SIDE),
        digest=_store.digest([train], official.classes),
        parts={
            "train": train.open,
            "test": lambda: _part(source, official, copy, "test").open(),
        },
        copy=copy.path,
    )


def read_binary(data: bytes, *, label_bytes: int) -> Labelled:
    """Return labels (n,) and pixels (n, 3072) of a file in the binary layout.

    A row has `label_bytes` labels, the last of which is the class, and then 3,072 pixels.
    Raises DataError for a file that does not consist of whole rows.
    """
    rows = np.frombuffer(data, np.uint8)
    if not len(rows) or len(rows) % (label_bytes + PLANES):
        raise DataError(
            f"{len(rows):,} bytes are not a whole number of images",
            found=f"an image takes {label_bytes + PLANES:,} bytes",
        )
    rows = rows.reshape(-1, label_bytes + PLANES)
    return rows[:, label_bytes - 1].astype(np.int64), rows[:, label_bytes:]


def _part(source: Source, official: Official, copy: Copy, name: str) -> _store.Part:
    files = _sources(copy, name)
    key = "\n".join(
        [copy.layout.folder, name] + [_files.fingerprint(source.cache, f) for f in files]
    )
    decode = partial(_decode, official, copy, name)
    part = _store.prepare(source.cache, f"{official.name}/{name}", key, decode)
    expected = official.digests.get(name, part.digest)
    if part.digest != expected:
        _unofficial(official, copy, name)
    return part


def _unofficial(official: Official, copy: Copy, name: str) -> None:
    """Warn of unofficial images in a user's folder; raise DataError for a download."""
    text = f"the {name} images in {copy.path} are not the official ones of {official.name}"
    if copy.downloaded:
        raise DataError(text, remedy=f"delete {copy.path} and start again")
    text += "; they are used, and their digest differs"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _sources(copy: Copy, name: str) -> list[Path]:
    if copy.path.is_file():
        return [copy.path]
    files = [copy.path / file for file in copy.layout.files[name]]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file} is missing", remedy=f"put the official {file.name} there")
    return files


def _decode(official: Official, copy: Copy, name: str) -> Rows:
    batches = []
    for file, data in _contents(copy, copy.layout.files[name]):
        try:
            batches.append(copy.layout.read(data))
        except DataError as error:
            raise DataError(f"{file}: {error.message}", found=error.found) from None
    labels = np.concatenate([labels for labels, _ in batches])
    if labels.min() < 0 or labels.max() >= len(official.classes):
        raise DataError(
            f"{copy.path} has the {name} label {labels.max()}",
            found=f"{official.name} has the labels 0 to {len(official.classes) - 1}",
        )
    return Rows(labels, SIDE, (b for _, planes in batches for b in _blocks(planes)))


def _contents(copy: Copy, names: tuple[str, ...]) -> Iterator[tuple[Path, bytes]]:
    if copy.path.is_dir():
        for name in names:
            with _files.reading():
                data = (copy.path / name).read_bytes()
            yield copy.path / name, data
        return
    members = _archive.members(copy.path, [f"{copy.layout.folder}/{name}" for name in names])
    yield from ((copy.path / name, data) for name, data in members.items())


def _blocks(planes: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(planes), _BLOCK):
        images = planes[start : start + _BLOCK].reshape(-1, 3, SIDE, SIDE)
        yield images.transpose(0, 2, 3, 1)
