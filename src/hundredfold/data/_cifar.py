"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): the official files, wherever they lie.

Each is published as a folder of binary files and as a folder of Python pickles, and each
folder as an archive. All four hold the same images in the same order, so they give the same
digest. An archive is read where it is: nothing of it is ever extracted to the disk.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _archive, _download, _files, _store
from hundredfold.data._store import Rows
from hundredfold.data._types import DataSet, Source
from hundredfold.errors import DataError, HundredfoldWarning

SIDE = 32
PLANES = 3 * SIDE * SIDE  # bytes of an image: red, green and blue plane
_BLOCK = 4096

Labelled = tuple[NDArray[np.int64], NDArray[np.uint8]]  # (n,) and (n, 3072)


@dataclass(frozen=True)
class Form:
    """One way the set is published: its folder, its archive, the files of each part."""

    folder: str
    archive: str
    sha256: str
    files: Mapping[str, tuple[str, ...]]
    read: Callable[[bytes], Labelled]


@dataclass(frozen=True)
class Official:
    """A data set as published; `digests` are those of its decoded parts, where known.

    The first form is the one that is downloaded, from `site`.
    """

    name: str
    classes: tuple[str, ...]
    superclasses: tuple[str, ...]
    superclass_of: tuple[int, ...]
    site: str
    forms: tuple[Form, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where a form was found: a folder, or an archive; ours if this program downloaded it."""

    path: Path
    form: Form
    ours: bool


def cifar(source: Source, official: Official) -> DataSet:
    """Load the data set from the user's folder, the cache or the network, in this order."""
    place = find(source, official)
    train = _part(source, official, place, "train")
    return DataSet(
        name=official.name,
        classes=official.classes,
        superclasses=official.superclasses,
        superclass_of=official.superclass_of,
        size=SIDE,
        digest=_store.digest([train], official.classes),
        parts={
            "train": train.open,
            "test": lambda: _part(source, official, place, "test").open(),
        },
    )


def find(source: Source, official: Official) -> Place:
    """Return where the training files lie, downloading the archive if they lie nowhere."""
    downloads = source.cache / "downloads"
    if source.folder is not None:
        if not source.folder.exists():
            raise DataError(f"there is no folder {source.folder}", remedy="check --data-dir")
        if (place := among(source.folder, official, ours=False)) is not None:
            return place
        text = f"{source.folder} holds no {official.name}; looking elsewhere"
        warnings.warn(text, HundredfoldWarning, stacklevel=2)
    if (place := among(downloads, official, ours=True)) is not None:
        return place
    form = official.forms[0]
    target = downloads / form.archive
    if source.offline:
        raise DataError(
            f"{official.name} is not on this machine and HUNDREDFOLD_OFFLINE forbids the network",
            remedy=f"--data-dir DIR, where DIR holds {form.folder}/ or {form.archive}",
        )
    _download.download(official.site + form.archive, target, form.sha256)
    return Place(target, form, ours=True)


def among(root: Path, official: Official, *, ours: bool) -> Place | None:
    """Return the first form that `root` holds: as a folder, as files, or as an archive."""
    for form in official.forms:
        for path in (root / form.folder, root):
            if all((path / name).is_file() for name in form.files["train"]):
                return Place(path, form, ours)
    for form in official.forms:
        for path in (root / form.archive, root):
            if path.is_file() and path.name == form.archive:
                return Place(path, form, ours)
    return None


def read_binary(data: bytes, *, label_bytes: int) -> Labelled:
    """Read rows of `label_bytes` labels, of which the last is the class, and 3,072 pixels."""
    rows = np.frombuffer(data, np.uint8)
    if not len(rows) or len(rows) % (label_bytes + PLANES):
        raise DataError(
            f"{len(rows):,} bytes are not a whole number of images",
            found=f"an image takes {label_bytes + PLANES:,} bytes",
        )
    rows = rows.reshape(-1, label_bytes + PLANES)
    return rows[:, label_bytes - 1].astype(np.int64), rows[:, label_bytes:]


def _part(source: Source, official: Official, place: Place, name: str) -> _store.Part:
    files = _sources(place, name)
    key = "\n".join(
        [place.form.folder, name] + [_files.fingerprint(source.cache, f) for f in files]
    )
    decode = partial(_decode, official, place, name)
    part = _store.prepare(source.cache, f"{official.name}/{name}", key, decode)
    wanted = official.digests.get(name, part.digest)
    if part.digest != wanted:
        _unofficial(official, place, name)
    return part


def _unofficial(official: Official, place: Place, name: str) -> None:
    """Accept other images from a user's folder, aloud; refuse them from a download."""
    text = f"the {name} images in {place.path} are not the official ones of {official.name}"
    if place.ours:
        raise DataError(text, remedy=f"delete {place.path} and start again")
    text += "; they are used, and told apart by their digest"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _sources(place: Place, name: str) -> list[Path]:
    if place.path.is_file():
        return [place.path]
    files = [place.path / file for file in place.form.files[name]]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file} is missing", remedy=f"put the official {file.name} there")
    return files


def _decode(official: Official, place: Place, name: str) -> Rows:
    read = []
    for file, data in _contents(place, place.form.files[name]):
        try:
            read.append(place.form.read(data))
        except DataError as error:
            raise DataError(f"{file}: {error.message}", found=error.found) from None
    labels = np.concatenate([labels for labels, _ in read])
    if labels.min() < 0 or labels.max() >= len(official.classes):
        raise DataError(
            f"{place.path} has the {name} label {labels.max()}",
            found=f"{official.name} has the labels 0 to {len(official.classes) - 1}",
        )
    return Rows(labels, SIDE, (b for _, planes in read for b in _blocks(planes)))


def _contents(place: Place, names: tuple[str, ...]) -> Iterator[tuple[Path, bytes]]:
    if place.path.is_dir():
        for name in names:
            with _files.reading():
                data = (place.path / name).read_bytes()
            yield place.path / name, data
        return
    found = _archive.members(place.path, [f"{place.form.folder}/{name}" for name in names])
    yield from ((place.path / name, data) for name, data in found.items())


def _blocks(planes: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(planes), _BLOCK):
        images = planes[start : start + _BLOCK].reshape(-1, 3, SIDE, SIDE)
        yield images.transpose(0, 2, 3, 1)
