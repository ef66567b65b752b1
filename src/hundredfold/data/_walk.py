"""List the image files below a folder: one system call a folder and none a file.

An entry is a file or folder on the disk, or in an archive, whose members cost no system call.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from hundredfold.data._archives import Member

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
)

Entry: TypeAlias = Path | Member


def images(folder: Entry, accept: Callable[[Path], bool]) -> list[Entry]:
    """Return the image files below a folder, sorted by the parts of their paths.

    accept: whether a link is followed; it may raise. A link to a folder above is not followed.
    """
    if isinstance(folder, Member):
        return [*sorted(_members(folder))]
    found = _images(os.fspath(folder), accept, ())
    return [Path(text) for text in sorted(found, key=_by_parts)]


def hidden(name: str) -> bool:
    """Return whether a file or folder of this name belongs to the system."""
    return name.startswith(".") or name == "__MACOSX"


def names(root: Entry, files: Iterable[Entry]) -> Iterator[str]:
    """Yield each file's path relative to the root, with / as separator."""
    start = len(str(root / "x")) - 1
    for file in files:
        name = str(file)[start:]
        yield name.replace(os.sep, "/") if isinstance(file, Path) else name


def size_and_times(file: Entry) -> tuple[int, ...]:
    """Return a file's size in bytes, and its times or what an archive records of it."""
    if not isinstance(file, Path):
        return file.facts()
    about = file.stat()
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


def order(entry: Entry) -> str:
    """Return the key by which files and folders are sorted, that of the parts of their paths."""
    return _by_parts(str(entry)) if isinstance(entry, Path) else "\0".join(entry.parts)


def _by_parts(path: str) -> str:
    return path.replace(os.sep, "\0")  # below every other character, as in tuples of parts


def _is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _members(folder: Member) -> Iterator[Member]:
    for entry in folder.iterdir():
        if hidden(entry.name):
            continue
        if entry.is_dir():
            yield from _members(entry)
        elif _is_image(entry.name):
            yield entry


def _images(folder: str, accept: Callable[[Path], bool], above: tuple[str, ...]) -> Iterator[str]:
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if hidden(entry.name) or (entry.is_symlink() and not accept(Path(entry.path))):
                continue
            if entry.is_dir():
                yield from _images(entry.path, accept, (*above, here))
            elif _is_image(entry.name):
                yield entry.path
