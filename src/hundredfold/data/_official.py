"""Data sets as they are published: their layouts, and which of them is on this machine."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hundredfold.data import _download
from hundredfold.data._types import Source
from hundredfold.errors import DataError

_LOG = logging.getLogger(__name__)

Labelled = tuple[NDArray[np.int64], NDArray[np.uint8]]  # (n,) and (n, 3072)


@dataclass(frozen=True)
class Layout:
    """One way the set is published: its folder, its archive, the files of each part."""

    folder: str
    archive: str
    sha256: str
    files: Mapping[str, tuple[str, ...]]
    read: Callable[[bytes], Labelled]


@dataclass(frozen=True)
class Official:
    """A data set as published; `digests` are those of its decoded parts, where known.

    The first layout is the one that is downloaded, from `site`.
    """

    name: str
    classes: tuple[str, ...]
    superclasses: tuple[str, ...]
    superclass_of: tuple[int, ...]
    site: str
    layouts: tuple[Layout, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Copy:
    """A layout on this machine: a folder, or an archive, which this program may have downloaded."""

    path: Path
    layout: Layout
    downloaded: bool


def find(source: Source, official: Official) -> Copy:
    """Return where the training files lie, downloading the archive if they lie nowhere."""
    downloads = source.cache / "downloads"
    if source.folder is not None:
        if not source.folder.exists():
            raise DataError(f"there is no folder {str(source.folder)!r}", remedy="check --data-dir")
        if (copy := among(source.folder, official, downloaded=False)) is not None:
            return copy
        _LOG.warning("warning: %s holds no %s; looking elsewhere", source.folder, official.name)
    if (copy := among(downloads, official, downloaded=True)) is not None:
        return copy
    layout = official.layouts[0]
    target = downloads / layout.archive
    if source.offline:
        raise DataError(
            f"{official.name} is not on this machine and HUNDREDFOLD_OFFLINE forbids the network",
            remedy=f"--data-dir DIR, where DIR holds {layout.folder}/ or {layout.archive}",
        )
    _download.download(official.site + layout.archive, target, layout.sha256)
    return Copy(target, layout, downloaded=True)


def among(root: Path, official: Official, *, downloaded: bool) -> Copy | None:
    """Return the first layout that `root` holds: as a folder, as files, or as an archive."""
    for layout in official.layouts:
        for path in (root / layout.folder, root):
            if all((path / name).is_file() for name in layout.files["train"]):
                return Copy(path, layout, downloaded)
    for layout in official.layouts:
        for path in (root / layout.archive, root):
            if path.is_file() and path.name == layout.archive:
                return Copy(path, layout, downloaded)
    return None
