"""List the image files below a folder: one system call a folder and none a file."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
)


def images(folder: Path, accept: Callable[[Path], bool]) -> list[Path]:
    """Return the image files below a folder, sorted by the parts of their paths.

    accept: whether a link is followed; it may raise. A link to a folder above is not followed.
    """
    found = _images(os.fspath(folder), accept, ())
    return [Path(text) for text in sorted(found, key=_by_parts)]


def hidden(name: str) -> bool:
    """Return whether a file or folder of this name belongs to the system."""
    return name.startswith(".") or name == "__MACOSX"


def names(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """Yield each file's path relative to the root, with / as separator."""
    start = len(os.fspath(root / "x")) - 1
    for file in files:
        yield os.fspath(file)[start:].replace(os.sep, "/")


def _by_parts(path: str) -> str:
    return path.replace(os.sep, "\0")  # below every other character, as in tuples of parts


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
            elif entry.name[entry.name.rfind(".") :].lower() in SUFFIXES:
                yield entry.path
