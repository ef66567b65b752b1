"""Published data sets: their layouts, and which layout is on this machine."""

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
    """One published layout: its folder, its archive, the archive's SHA-256, each part's files."""

    folder: str
    archive: str
    sha256: str
    files: Mapping[str, tuple[str, ...]]
    read: Callable[[bytes], Labelled]


@dataclass(frozen=True)
class Official:
    """A published data set.

    site:    URL of the folder from which the first layout's archive is downloaded.
    digests: part -> SHA-256 (hex) of its decoded pixels and labels, where known.
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
    """A layout on this machine: the path of a folder or an archive.

    downloaded: whether Hundredfold downloaded it, rather than the user.
    """

    path: Path
    layout: Layout
    downloaded: bool


def find(source: Source, official: Official) -> Copy:
    """Return the copy of a data set on this machine; download it where there is none.

    Raises DataError where the folder does not exist, or the download is forbidden or fails.
    """
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
    """Return the first layout in `root`: as a folder, as files, or as an archive."""
    for layout in official.layouts:
        for path in (root / layout.folder, root):
            if all((path / name).is_file() for name in layout.files["train"]):
                return Copy(path, layout, downloaded)
    for layout in official.layouts:
        for path in (root / layout.archive, root):
            if path.is_file() and path.name == layout.archive:
                return Copy(path, layout, downloaded)
    return None
