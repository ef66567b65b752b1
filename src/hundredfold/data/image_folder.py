"""Your own images, from a folder, an archive or a table.

    photos/cats/*.jpg  photos/dogs/*.jpg           validation is split off by seed, no test part
    photos/train/cats  photos/val/cats  photos/test/cats ...       val and test are optional
    photos.zip, photos.tar, photos.tar.gz          an archive of such folders, read in place
    labels.csv, labels.tsv, labels.parquet         a table of paths and labels
    photos/cat_1.jpg with label_pattern            labels in the names of the files

`train` may be named training; `val` valid or validation; `test` testing. Classes are matched
by name. What the user names is only read, never written.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from hundredfold.data import _corrections, _files, _notes, _scan, _sizes, _sources, _store
from hundredfold.data._image import Resize
from hundredfold.data._listing import Listing
from hundredfold.data._parts import Parts
from hundredfold.data._types import DataSet, Source, Split
from hundredfold.errors import DataError, UsageError
from hundredfold.size import Size
from hundredfold.spec import BelowOne, PixelsOrAuto, Range


def image_folder(
    source: Source,
    *,
    size: PixelsOrAuto = 0,
    resize: Literal["crop", "pad", "stretch"] = "crop",
    image_column: str = "",
    label_column: str = "",
    label_pattern: str = "",
    group: str = "",
    test: BelowOne = 0.0,
    labels: str = "",
    subset: Annotated[int, Range(0, 1_000_000_000)] = 0,
    store: str = "auto",
) -> DataSet:
    """Load JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF files of the folder, archive or table given.

    size: height and width in pixels, each 8 to 1024, or "HEIGHTxWIDTH"; 0 takes the shorter side of
        half of the images, at most 64.
    resize: what becomes of an image of another aspect: "crop" the largest centred part, "pad" the
        whole with black, "stretch" it.
    image_column, label_column: columns of a table; "" finds them by their contents and names.
    label_pattern: labels in file names, "{label}_*" for cat_1.jpg, in a folder without classes.
    group: a column of the table, or a pattern such as "{group}_*": a patient, video or scene,
        whose images stay within one split.
    test: fraction of the training images, in (0, 1), that becomes the test part; 0 cuts none.
    labels: a CSV of corrected labels with the columns file and label.
    subset: number of training images that are drawn class by class and decoded, at least two of
        each class; 0 is all. A part for validation shrinks in proportion, to 1,000 images at
        least. No other file is opened. A smaller subset lies within a larger one.
    store: what the cache keeps: "pixels", or "jpeg", which takes a tenth of the disk and is
        decoded for every batch. "auto" keeps pixels up to a tenth of the free disk and 4 GB.

    The data set has the name of the folder. Its notes list the files that cannot be decoded.
    Raises DataError for data without images, with one class or an empty class, and for a class
    without any decodable file.
    """
    options = _sources.Options(
        image_column, label_column, label_pattern, group, test, labels, subset
    )
    return _loaded(source, options, Size.of(size), resize, store)


def _loaded(
    source: Source, options: _sources.Options, size: Size, resize: Resize, store: str
) -> DataSet:
    folder, source, options = _located(source, options)
    with _files.reading():
        listing = _sources.listed(source, options)
        _scan.need_classes(listing.read("train"), listing.where["train"])
        size = size or Size.of(_sizes.automatic(listing))
    names = tuple(listing.read("train"))
    parts = Parts(source.cache, listing, names, size, resize).stored(store)
    ready = {name: parts.decoded(name) for name in parts.seen()}
    _need_all_classes(listing, ready["train"], names)
    return DataSet(
        name=_sources.name_of(folder),
        classes=names,
        superclasses=(),
        superclass_of=(),
        size=size,
        digest=_store.digest(ready.values(), names),
        parts=_openers(parts, ready),
        notes=_notes.of_listing(
            listing, _notes.notes(source.cache, folder, ready, names, listing.all("train"))
        ),
        resolved={"size": size.plain, "labels": options.labels},
        paths=_paths(source, options),
    )


def _located(source: Source, options: _sources.Options) -> tuple[Path, Source, _sources.Options]:
    """Return the folder, and source and options with corrected labels pinned by digest."""
    if source.folder is None:
        raise UsageError("image_folder needs a folder of images", remedy="--data-dir photos")
    labels, path = _corrections.pinned(options.labels, source.cache)
    located = replace(source, labels=path or source.labels)
    return source.folder, located, replace(options, labels=labels)


def _openers(parts: Parts, ready: Mapping[str, _store.Part]) -> dict[str, Callable[[], Split]]:
    """Return what opens each part; the test part is decoded when it is opened."""
    openers: dict[str, Callable[[], Split]] = {
        name: partial(parts.opened, part) for name, part in ready.items()
    }
    if "test" in parts.listing.where:
        openers["test"] = lambda: parts.opened(parts.decoded("test"))
    return openers


def _paths(source: Source, options: _sources.Options) -> dict[str, str]:
    """Return the paths of a source for run.json, beside its folder."""
    paths = {"images": source.images, "labels": source.labels if options.labels else None}
    return {name: str(path.absolute()) for name, path in paths.items() if path is not None}


def _need_all_classes(listing: Listing, part: _store.Part, names: tuple[str, ...]) -> None:
    counts = np.bincount(part.open().labels, minlength=len(names))
    for name in (names[row] for row in np.flatnonzero(counts == 0)):
        raise DataError(
            f"no image of the class {name!r} in {listing.root} can be read",
            remedy="remove the class, or save its images again as PNG or JPEG",
            see=f"hundredfold data check {listing.root}",
        )
