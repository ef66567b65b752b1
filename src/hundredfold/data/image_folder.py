"""Your own images: one folder per class.

    photos/cats/*.jpg  photos/dogs/*.jpg           validation is split off by seed, no test part
    photos/train/cats  photos/val/cats  photos/test/cats ...       val and test are optional

`train` may be named training; `val` valid or validation; `test` testing. Classes are matched
by name. The folder is only read, never written.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _decoding, _files, _notes, _scan, _store, _walk
from hundredfold.data._packed import encode
from hundredfold.data._rows import Rows
from hundredfold.data._subset import drawn, proportional
from hundredfold.data._types import DataSet, Source
from hundredfold.errors import DataError, HundredfoldWarning, UsageError, did_you_mean

STORES = ("auto", "pixels", "jpeg")
Labelled = list[tuple[Path, int]]


def image_folder(
    source: Source, *, size: int = 32, subset: int = 0, store: str = "auto"
) -> DataSet:
    """Load class folders of JPEG, PNG, WebP, BMP, GIF or TIFF files from `--data-dir`.

    size:   height and width in pixels, 8 to 1024; the centred square of each image is used.
    subset: number of training images that are drawn class by class and decoded, at least two of
            each class; a part for validation shrinks in proportion. 0 is all. No other file is
            opened. A smaller subset lies within a larger one.
    store:  what the cache keeps: "pixels", or "jpeg", which takes a tenth of the disk and is
            decoded for every batch. "auto" keeps pixels up to a tenth of the free disk and 4 GB.

    The data set has the name of the folder. Files that cannot be decoded are left out and
    listed in its notes. Raises DataError for a folder without images, with one class or an
    empty class, and for a class without any decodable file.
    """
    if not 8 <= size <= 1024:
        raise UsageError(f"image_folder(size={size}) is not between 8 and 1024")
    if subset < 0:
        raise UsageError(f"image_folder(subset={subset}) is negative", remedy="0 for all images")
    if store not in STORES:
        raise UsageError(
            f"image_folder(store={store!r}) is unknown", remedy=did_you_mean(store, STORES)
        )
    if source.folder is None:
        raise UsageError("image_folder needs a folder of images", remedy="--data-dir photos")
    with _files.reading():
        layout = _scan.layout(source.folder)
        train = _scan.training_classes(layout)
    names, total = tuple(train), sum(map(len, train.values()))
    bounded = partial(_bounded, layout, names, subset, total)
    files = {name: bounded(name) for name in _seen(layout)}
    packed = _is_packed(source, layout, files, size, store)
    ready = {name: _part(source, layout, name, files[name], size, packed) for name in files}
    _need_all_classes(layout, ready["train"], names)
    parts = {name: part.open for name, part in ready.items()}
    if "test" in layout.parts:
        parts["test"] = lambda: _part(source, layout, "test", bounded("test"), size, packed).open()
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


def _is_packed(
    source: Source, layout: _scan.Layout, files: Mapping[str, Labelled], size: int, store: str
) -> bool:
    """Return whether the parts are kept as JPEGs; "auto" stays with what the cache has already."""
    if store != "auto":
        return store == "jpeg"
    with _files.reading():
        key = _key(layout.root, files["train"], size)
    for packed in (False, True):
        if _store.exists(source.cache, _group(layout, size, "train", packed), key):
            return packed
    return _store.is_large(source.cache, sum(map(len, files.values())), size)


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
    source: Source, layout: _scan.Layout, name: str, files: Labelled, size: int, packed: bool
) -> _store.Part:
    with _files.reading():
        key = _key(layout.root, files, size)
    group = _group(layout, size, name, packed)
    decode_all = partial(_decode, layout.root, files, size, packed)
    part = _store.prepare(source.cache, group, key, decode_all)
    if name == "test" and part.left_out:
        warn(_notes.left_out(layout.root, part), HundredfoldWarning, stacklevel=2)
    return part


def _group(layout: _scan.Layout, size: int, name: str, packed: bool) -> str:
    root = hashlib.sha256(os.fsencode(layout.root.resolve())).hexdigest()[:16]
    return f"image_folder/{root}-{size}{'-packed' if packed else ''}/{name}"


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


def _decode(root: Path, files: Labelled, size: int, packed: bool) -> Rows:
    labels = np.array([label for _, label in files], np.int64)
    names = tuple(map(_scan.shown, _walk.names(root, (file for file, _ in files))))
    bad: dict[int, str] = {}

    def pixels(row: int) -> NDArray[np.uint8] | str:
        return _decoding.image(files[row][0], size, names[row])

    def jpeg(row: int) -> bytes | str:
        image = pixels(row)
        return image if isinstance(image, str) else encode(image)

    text = f"decoding {len(files):,} images of {root} (once)"
    if packed:
        jpegs = _decoding.blocks(len(files), jpeg, size, bad, text)
        return Rows(labels, size, (), names, bad, jpegs)
    blocks = map(np.stack, _decoding.blocks(len(files), pixels, size, bad, text))
    return Rows(labels, size, blocks, names, bad)
