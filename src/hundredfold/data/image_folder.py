"""Your own images: one folder per class.

    photos/cats/*.jpg  photos/dogs/*.jpg           validation is split off by seed, no test part
    photos/train/cats  photos/val/cats  photos/test/cats ...       val and test are optional

`train` may be named training; `val` valid or validation; `test` testing. Classes are matched
by name. The folder is only read, never written.
"""

import hashlib
import json
import os
from functools import partial
from pathlib import Path
from warnings import warn

import numpy as np

from hundredfold.data import _decoding, _files, _notes, _scan, _store, _walk
from hundredfold.data._rows import Rows
from hundredfold.data._subset import drawn, proportional
from hundredfold.data._types import DataSet, Source
from hundredfold.errors import DataError, HundredfoldWarning, UsageError

Labelled = list[tuple[Path, int]]


def image_folder(source: Source, *, size: int = 32, subset: int = 0) -> DataSet:
    """Load class folders of JPEG, PNG, WebP, BMP, GIF or TIFF files from `--data-dir`.

    size:   height and width in pixels, 8 to 1024; the centred square of each image is used.
    subset: number of training images that are drawn class by class and decoded, at least two of
            each class; a part for validation shrinks in proportion. 0 is all. No other file is
            opened. A smaller subset lies within a larger one.

    The data set has the name of the folder. Files that cannot be decoded are left out and
    listed in its notes. Raises DataError for a folder without images, with one class or an
    empty class, and for a class without any decodable file.
    """
    if not 8 <= size <= 1024:
        raise UsageError(f"image_folder(size={size}) is not between 8 and 1024")
    if subset < 0:
        raise UsageError(f"image_folder(subset={subset}) is negative", remedy="0 for all images")
    if source.folder is None:
        raise UsageError("image_folder needs a folder of images", remedy="--data-dir photos")
    with _files.reading():
        layout = _scan.layout(source.folder)
        train = _scan.training_classes(layout)
    names, total = tuple(train), sum(map(len, train.values()))
    bounded = partial(_bounded, layout, names, subset, total)
    ready = {name: _part(source, layout, name, bounded(name), size) for name in _seen(layout)}
    _need_all_classes(layout, ready["train"], names)
    parts = {name: part.open for name, part in ready.items()}
    if "test" in layout.parts:
        parts["test"] = lambda: _part(source, layout, "test", bounded("test"), size).open()
    return DataSet(
        name=layout.root.resolve().name,
        classes=names,
        superclasses=(),
        superclass_of=(),
        size=size,
        digest=_store.digest(ready.values(), names),
        parts=parts,
        notes=_notes.notes(source.cache, layout.root, ready, names),
    )


def _seen(layout: _scan.Layout) -> list[str]:
    """Return the parts that training sees."""
    return [name for name in ("train", "validation") if name in layout.parts]


def _bounded(
    layout: _scan.Layout, classes: tuple[str, ...], subset: int, total: int, name: str
) -> Labelled:
    """Return the files of a part, or those that belong to a subset of `total` training images."""
    with _files.reading():
        files = _scan.labelled(_scan.classes(layout, name), classes)
    if not files:
        raise DataError(
            f"no {name} images in {layout.parts[name]}", remedy="add some, or remove it"
        )
    if not 0 < subset < total or name == "test":
        return files
    count = subset if name == "train" else proportional(subset, total, len(files))
    labels = np.array([label for _, label in files], np.int64)
    texts = list(_walk.names(layout.parts[name], (file for file, _ in files)))
    return [files[row] for row in drawn(texts, labels, count)]


def _part(
    source: Source, layout: _scan.Layout, name: str, files: Labelled, size: int
) -> _store.Part:
    with _files.reading():
        key = _key(layout.root, files, size)
    root = hashlib.sha256(os.fsencode(layout.root.resolve())).hexdigest()[:16]
    group = f"image_folder/{root}-{size}/{name}"
    decode_all = partial(_decode, layout.root, files, size)
    part = _store.prepare(source.cache, group, key, decode_all)
    if name == "test" and part.left_out:
        warn(_notes.left_out(layout.root, part), HundredfoldWarning, stacklevel=2)
    return part


def _need_all_classes(layout: _scan.Layout, part: _store.Part, names: tuple[str, ...]) -> None:
    counts = np.bincount(part.open().labels, minlength=len(names))
    for name in (names[row] for row in np.flatnonzero(counts == 0)):
        raise DataError(
            f"no image of the class {name!r} in {layout.root} can be read",
            remedy="remove the class, or save its images again as PNG or JPEG",
            see=f"hundredfold data check {layout.root}",
        )


def _key(root: Path, files: Labelled, size: int) -> str:
    """Return the cache key of a part: path, label, size and times of every file."""
    facts: list[object] = [size]
    for name, (file, label) in zip(_walk.names(root, (f for f, _ in files)), files, strict=True):
        about = file.stat()
        facts.append((name, label, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    return json.dumps(facts)


def _decode(root: Path, files: Labelled, size: int) -> Rows:
    labels = np.array([label for _, label in files], np.int64)
    names = tuple(map(_scan.shown, _walk.names(root, (file for file, _ in files))))
    bad: dict[int, str] = {}
    text = f"decoding {len(files):,} images of {root} (once)"
    blocks = _decoding.blocks([file for file, _ in files], names, size, bad, text)
    return Rows(labels, size, blocks, names, bad)
