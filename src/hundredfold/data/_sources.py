"""Open what a user names as data: a folder, an archive, a table; with groups and corrections."""

import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hundredfold.data import _archives, _listing, _patterns, _scan, _tables, _tar, _zip
from hundredfold.data._corrections import corrected, pinned
from hundredfold.data._listing import Listing
from hundredfold.data._of_table import of_table
from hundredfold.data._part_names import PARTS
from hundredfold.data._types import Source
from hundredfold.data._walk import Entry, hidden
from hundredfold.errors import DataError, UsageError


@dataclass(frozen=True)
class Options:
    """The options of `image_folder` that decide which files are used, their labels and parts."""

    image_column: str = ""
    label_column: str = ""
    label_pattern: str = ""
    group: str = ""
    test: float = 0.0
    labels: str = ""
    subset: int = 0


def is_file_of_images(path: Path) -> bool:
    """Return whether a file's name is that of a table or an archive of images."""
    return _tables.is_table(path) or _archives.is_archive(path)


def name_of(path: Path) -> str:
    """Return the name of the data set of a folder, an archive or a table."""
    path = path.resolve()
    if path.is_dir():
        return _scan.shown(path.name)
    table = f"{path.parent.name}-{path.stem}"
    return _scan.shown(_archives.stem(path) if _archives.is_archive(path) else table)


def listed(source: Source, options: Options) -> Listing:
    """Return the listing of a source.

    Raises UsageError for an option that does nothing here. Raises DataError for data that cannot
    be used, with the line where a table is wrong.
    """
    path = source.folder
    assert path is not None
    table = path.is_file() and _tables.is_table(path)
    _need_use(path, table, options)
    if table:
        root = _root(source.images or path.parent, source.cache)
        listing = of_table(
            _tables.read(path), root, options.image_column, options.label_column, options.group
        )
    elif options.label_pattern:
        read = _patterns.reader(options.label_pattern, "label", "--label-pattern")
        listing = _listing.of_names(_root(path, source.cache), read)
    else:
        listing = _listing.of_folders(_root(path, source.cache))
    listing = _grouped(listing, path, options.group)
    _listing.need_apart(listing)
    if options.test:
        listing = _listing.with_test(listing, options.test)
    if options.labels:
        listing = corrected(listing, source, options.labels)
    return _listing.with_subset(listing, options.subset) if options.subset else listing


def listing_of(options: Mapping[str, Any], source: Source) -> Listing:
    """Return the listing of a source with the options of `image_folder`; others are ignored."""
    own = {field.name: options[field.name] for field in fields(Options) if field.name in options}
    labels, path = pinned(own.get("labels", ""), source.cache)
    located = replace(source, labels=path or source.labels)
    return listed(located, Options(**own | {"labels": labels}))


def _need_use(path: Path, table: bool, options: Options) -> None:
    """Raise UsageError for an option of another kind of source."""
    of_tables = {"--image-column": options.image_column, "--label-column": options.label_column}
    if not table and (idle := next((name for name, text in of_tables.items() if text), None)):
        raise UsageError(f"{idle} is for tables, and {path} is none", remedy="a .csv or .parquet")
    if table and options.label_pattern:
        raise UsageError(
            f"--label-pattern is for folders, and {path} is a table of labels",
            remedy="--label-column NAME",
        )


def _grouped(listing: Listing, path: Path, group: str) -> Listing:
    """Return the listing with groups from file names, where `group` is a pattern."""
    if not group or listing.group_of is not None:
        return listing
    if not _patterns.is_pattern(group):
        raise UsageError(
            f"--group {group!r} is neither a column of {path} nor a pattern of file names",
            remedy='--group "{group}_*" for names such as patient7_scan2.png',
        )
    return replace(listing, group_of=_patterns.reader(group, "group", "--group"))


def _root(path: Path, cache: Path) -> Entry:
    """Return the folder in which images lie, on the disk or in an archive."""
    if path.is_dir():
        return path
    if not path.exists():
        raise DataError(f"there is no folder {str(path)!r}", remedy="check --data-dir")
    if not _archives.is_archive(path):
        raise DataError(
            f"{path} is neither a folder, an archive nor a table of images",
            remedy=f"archives end in {', '.join(_archives.SUFFIXES)}, tables in "
            + ", ".join(_tables.SUFFIXES),
        )
    read = _zip.archive if path.suffix.lower() == ".zip" else _tar.archive
    try:
        archive = read(path, cache)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(
            f"{path} is truncated or damaged", found=str(error), remedy="make or download it again"
        ) from None
    return _inner(_archives.Member((), archive))


def _inner(folder: _archives.Member) -> _archives.Member:
    """Step into the one folder that an archive has at its top, unless it is a part or a class."""
    shown = [entry for entry in folder.iterdir() if not hidden(entry.name)]
    if len(shown) != 1 or not shown[0].is_dir() or shown[0].name.lower() in PARTS:
        return folder
    below = [entry for entry in shown[0].iterdir() if not hidden(entry.name)]
    return _inner(shown[0]) if any(entry.is_dir() for entry in below) else folder
