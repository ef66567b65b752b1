"""Your own images, from a folder, an archive or a table.

    photos/cats/*.jpg  photos/dogs/*.jpg           validation is split off by seed, no test part
    photos/train/cats  photos/val/cats  photos/test/cats ...       val and test are optional
    photos.zip, photos.tar, photos.tar.gz          an archive of such folders, read in place
    labels.csv, labels.tsv, labels.parquet         a table of paths and labels
    photos/cat_1.jpg with label_pattern            labels in the names of the files

`train` may be named training; `val` valid or validation; `test` testing. Classes are matched
by name. What the user names is only read, never written.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal
from warnings import catch_warnings, simplefilter, warn

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _corrections, _files, _notes, _scan, _sizes, _sources, _store
from hundredfold.data._image import Resize, decode
from hundredfold.data._listing import Listing
from hundredfold.data._rows import Rows
from hundredfold.data._scan import Entry
from hundredfold.data._types import DataSet, Source, Split
from hundredfold.errors import DataError, HundredfoldWarning, UsageError
from hundredfold.machine import cores
from hundredfold.progress_bar import progress

_BLOCK = 256
_SHOWN = 1000  # images from which progress is shown

Labelled = list[tuple[Entry, int]]


def image_folder(
    source: Source,
    *,
    size: int = 0,
    resize: Literal["crop", "pad", "stretch"] = "crop",
    image_column: str = "",
    label_column: str = "",
    label_pattern: str = "",
    group: str = "",
    test: float = 0.0,
    labels: str = "",
) -> DataSet:
    """Load JPEG, PNG, WebP, BMP, GIF or TIFF files from the folder, archive or table in --data-dir.

    size: height and width in pixels, 8 to 1024; 0 takes the shorter side of half of the images,
        at most 64.
    resize: what becomes of an image that is no square: "crop" its centred square, "pad" it with
        black, "stretch" it.
    image_column, label_column: columns of a table; "" finds them by their contents and names.
    label_pattern: labels in the names of files, "{label}_*" for cat_1.jpg; for a folder without
        class folders.
    group: a column of the table, or a pattern such as "{group}_*": a patient, video or scene,
        whose images stay within one split.
    test: fraction of the training images, in (0, 1), that becomes the test part; 0 cuts none.
    labels: a CSV of corrected labels with the columns file and label.

    The data set has the name of the folder. Files that cannot be decoded are left out and
    listed in its notes. Raises DataError for data without images, with one class or an
    empty class, and for a class without any decodable file.
    """
    options = _sources.Options(image_column, label_column, label_pattern, group, test, labels)
    folder, source, options = _located(source, options, size)
    with _files.reading():
        listing = _sources.listed(source, options)
        _scan.need_classes(listing.read("train"), listing.where["train"])
        size = size or _sizes.automatic(listing)
    names = tuple(listing.read("train"))
    ready = {name: _part(source, listing, name, names, size, resize) for name in _seen(listing)}
    _need_all_classes(listing, ready["train"], names)
    return DataSet(
        name=_sources.name_of(folder),
        classes=names,
        superclasses=(),
        superclass_of=(),
        size=size,
        digest=_store.digest(ready.values(), names),
        parts=_parts(source, listing, ready, names, size, resize),
        notes=(*listing.notes, *_notes.notes(source.cache, folder, ready, names)),
        resolved={"size": size, "labels": options.labels},
        paths=_paths(source, options),
    )


def _located(
    source: Source, options: _sources.Options, size: int
) -> tuple[Path, Source, _sources.Options]:
    """Return the folder, and source and options with corrected labels pinned by digest."""
    if size and not 8 <= size <= 1024:
        raise UsageError(f"image_folder(size={size}) is not between 8 and 1024")
    if source.folder is None:
        raise UsageError("image_folder needs a folder of images", remedy="--data-dir photos")
    labels, path = _corrections.pinned(options.labels, source.cache)
    located = replace(source, labels=path or source.labels)
    return source.folder, located, replace(options, labels=labels)


def _parts(
    source: Source,
    listing: Listing,
    ready: Mapping[str, _store.Part],
    classes: tuple[str, ...],
    size: int,
    resize: Resize,
) -> dict[str, Callable[[], Split]]:
    """Return what opens each part; the test part is decoded when it is opened."""
    parts: dict[str, Callable[[], Split]] = {
        name: partial(_opened, listing, part) for name, part in ready.items()
    }
    if "test" in listing.where:
        parts["test"] = lambda: _opened(
            listing, _part(source, listing, "test", classes, size, resize)
        )
    return parts


def _paths(source: Source, options: _sources.Options) -> dict[str, str]:
    """Return the paths of a source for run.json, beside its folder."""
    paths = {"images": source.images, "labels": source.labels if options.labels else None}
    return {name: str(path.absolute()) for name, path in paths.items() if path is not None}


def _seen(listing: Listing) -> list[str]:
    """Return the parts that training sees."""
    return [name for name in ("train", "validation") if name in listing.where]


def _opened(listing: Listing, part: _store.Part) -> Split:
    split = part.open()
    return replace(split, groups=listing.groups(split.names))


def _part(
    source: Source,
    listing: Listing,
    name: str,
    classes: tuple[str, ...],
    size: int,
    resize: Resize,
) -> _store.Part:
    with _files.reading():
        files = listing.files(name, classes)
        key = _key(listing.root, files, size, resize)
    if not files:
        raise DataError(
            f"no {name} images in {listing.where[name]}", remedy="add some, or remove it"
        )
    root = hashlib.sha256(os.fsencode(str(listing.root.resolve()))).hexdigest()[:16]
    group = f"image_folder/{root}-{size}/{name}"
    decode_all = partial(_decode, listing.root, files, size, resize)
    part = _store.prepare(source.cache, group, key, decode_all)
    if name == "test" and part.left_out:
        warn(_notes.left_out(listing.where[name], part), HundredfoldWarning, stacklevel=2)
    return part


def _need_all_classes(listing: Listing, part: _store.Part, names: tuple[str, ...]) -> None:
    counts = np.bincount(part.open().labels, minlength=len(names))
    for name in (names[row] for row in np.flatnonzero(counts == 0)):
        raise DataError(
            f"no image of the class {name!r} in {listing.root} can be read",
            remedy="remove the class, or save its images again as PNG or JPEG",
            see=f"hundredfold data check {listing.root}",
        )


def _key(root: Entry, files: Labelled, size: int, resize: Resize) -> str:
    """Return the cache key of a part: path, label, size and times of every file."""
    facts: list[object] = [size] if resize == "crop" else [size, resize]
    for file, label in files:
        name = "/".join(file.parts[len(root.parts) :])
        facts.append((name, label, *_facts(file)))
    return json.dumps(facts)


def _facts(file: Entry) -> tuple[int, ...]:
    """Return size and times of a file, or what an archive records of it."""
    if not isinstance(file, Path):
        return file.facts()
    about = file.stat()
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _decode(root: Entry, files: Labelled, size: int, resize: Resize) -> Rows:
    labels = np.array([label for _, label in files], np.int64)
    names = tuple(_scan.relative(root, file) for file, _ in files)
    bad: dict[int, str] = {}
    blocks = _blocks(root, [file for file, _ in files], names, size, resize, bad)
    return Rows(labels, size, blocks, names, bad)


def _blocks(
    root: Entry,
    files: list[Entry],
    names: tuple[str, ...],
    size: int,
    resize: Resize,
    bad: dict[int, str],
) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of decoded images (b, size, size, 3); Pillow decodes in parallel threads."""
    text = f"decoding {len(files):,} images of {root} (once)" if len(files) >= _SHOWN else ""
    with (
        catch_warnings(),
        ThreadPoolExecutor(min(8, cores())) as pool,
        progress(text, len(files), count=True) as advance,
    ):
        simplefilter("ignore")  # odd metadata; `decode` itself refuses too many pixels
        for start in range(0, len(files), _BLOCK):
            rows = range(start, min(start + _BLOCK, len(files)))
            decoded = pool.map(lambda row: _image(files[row], size, names[row], resize), rows)
            images = []
            for row, image in zip(rows, decoded, strict=True):
                if isinstance(image, str):
                    bad[row] = image
                else:
                    images.append(image)
            if images:
                yield np.stack(images)
            advance(len(rows))


def _image(file: Entry, size: int, name: str, resize: Resize) -> NDArray[np.uint8] | str:
    """Return the pixels, or the reason why there are none."""
    try:
        return decode(file, size, name, resize)
    except DataError as error:
        return error.message.removeprefix(f"cannot read {name}: ")
