"""Walk a folder once: one system call a folder and none a file.

An entry is a file or folder on the disk, or in an archive, whose members cost no system call.
Every file below a folder is an image, or is counted by the kind of what it is.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from hundredfold.data._archives import Member
from hundredfold.data._formats import SUFFIXES
from hundredfold.errors import DataError

SYSTEM = frozenset(
    (
        "__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "recycler",
        "system volume information",
    )
)  # fmt: skip

_MOST_LINKS = 10_000  # to folders that are followed: links to links could go on for ever
_KEPT = 8  # folders whose walk is remembered
_SETTLED = 2.0  # seconds after its last change from which a folder's time stands for its names

Entry: TypeAlias = Path | Member


@dataclass
class Folder:
    """A folder as it was walked, without its hidden files and folders, which are counted.

    folders: those in it, sorted. images: files with the ending of an image. others: kind ->
    number of other files; those of hidden folders are here. errors: why something cannot be used.
    unfollowed: links to folders that are not followed. changed: time of the last change in ns.
    """

    entry: Entry
    folders: list["Folder"] = field(default_factory=list)
    images: list[Entry] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    errors: list[Exception] = field(default_factory=list)
    unfollowed: list[str] = field(default_factory=list)
    changed: int = 0

    @property
    def name(self) -> str:
        return self.entry.name

    def below(self) -> Iterator["Folder"]:
        """Yield the folder and all below it."""
        waiting = [self]
        while waiting:
            yield (folder := waiting.pop())
            waiting += folder.folders

    def count(self) -> int:
        """Return the number of images below the folder."""
        return sum(len(folder.images) for folder in self.below())

    def rest(self) -> Counter[str]:
        """Return kind -> number of files below the folder that are no images."""
        total: Counter[str] = Counter()
        for folder in self.below():
            total.update(folder.others)
        return total

    def need_usable(self) -> "Folder":
        """Return the folder; raise the reason why something in it cannot be used."""
        if self.errors:
            raise self.errors[0]
        return self


def walk(root: Entry, *, inside: bool = True) -> Folder:
    """Return a folder as it is; the walk is remembered while no folder below changes.

    A link to an image is an image, wherever it leads. A link to a folder below the root is
    followed, except to one above it. inside: whether a link to a folder elsewhere makes its folder
    unusable; else it is not followed.
    """
    if isinstance(root, Member):
        return _walked_members(root)
    key = (os.path.abspath(root), str(root), inside)  # noqa: PTH100
    if (known := _known.get(key)) and _unchanged(known):
        return known
    folder = _Walk(root, inside).folder
    _known.pop(key, None)
    if time.time_ns() - max(f.changed for f in folder.below()) > _SETTLED * 1e9:
        while len(_known) >= _KEPT:
            del _known[next(iter(_known))]
        _known[key] = folder
    return folder


def images(folder: Folder) -> list[Entry]:
    """Return the image files below a folder, sorted by the parts of their paths.

    Raises what makes a folder below unusable: it cannot be read, or holds a link to a folder
    elsewhere.
    """
    found = [image for inner in folder.below() for image in inner.need_usable().images]
    return sorted(found, key=order)


def hidden(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or belongs to a system."""
    return name.startswith(".") or name.lower() in SYSTEM


def names(root: Entry, files: Iterable[Entry]) -> Iterator[str]:
    """Yield each file's path relative to the root, with / as separator."""
    start = len(str(root / "x")) - 1
    for file in files:
        name = str(file)[start:]
        yield name.replace(os.sep, "/") if isinstance(file, Path) else name


def need_within(root: str, path: str) -> None:
    """Raise DataError for a link to a folder that leads out of a folder.

    root: the real path of the folder.
    """
    target, prefix = os.path.realpath(path), root.rstrip(os.sep) + os.sep
    if target == root or target.startswith(prefix):
        return
    raise DataError(
        f"{path} is a link to a folder out of {root}",
        found=target,
        remedy="copy that folder in, or put links to its images in place of the link",
    )


def size_and_times(file: Entry) -> tuple[int, ...]:
    """Return a file's size in bytes, and its times or what an archive records of it.

    A link to nothing has those of the link.
    """
    if not isinstance(file, Path):
        return file.facts()
    try:
        about = os.stat(file)  # noqa: PTH116  half the time of the method
    except OSError:
        about = os.lstat(file)
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


def order(entry: Entry) -> str:
    """Return the key by which files and folders are sorted, that of the parts of their paths."""
    if isinstance(entry, Path):
        return str(entry).replace(os.sep, "\0")  # below every other character
    return "\0".join(entry.parts)


def kind(name: str) -> str:
    """Return the kind of a file that is passed over: ".txt", "hidden", "without a suffix"."""
    if hidden(name):
        return "hidden" if name.startswith(".") else "of the system"
    return os.path.splitext(name)[1].lower() or "without a suffix"  # noqa: PTH122


_known: dict[tuple[str, str, bool], Folder] = {}


def _unchanged(folder: Folder) -> bool:
    """Return whether no folder has got or lost a name since; one system call a folder."""
    try:
        return all(os.stat(f.entry).st_mtime_ns == f.changed for f in folder.below())  # type: ignore[arg-type]  # noqa: PTH116
    except OSError:
        return False


def _is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _walked_members(member: Member) -> Folder:
    folder = Folder(member)
    for entry in member.iterdir():
        if entry.is_dir():
            inner = _walked_members(entry)
            if hidden(entry.name):
                folder.others[_of_folder(entry.name)] += inner.count() + inner.rest().total()
            else:
                folder.folders.append(inner)
        elif not hidden(entry.name) and _is_image(entry.name):
            folder.images.append(entry)
        else:
            folder.others[kind(entry.name)] += 1
    folder.folders.sort(key=lambda inner: order(inner.entry))
    return folder


class _Walk:
    """A walk of a folder on the disk, without recursion: paths may be 2,000 folders deep."""

    def __init__(self, root: Path, inside: bool) -> None:
        self._root, self._inside = os.path.realpath(root), inside
        self.folder, self._links = Folder(root), 0
        self._waiting: list[tuple[Folder, str, tuple[str, ...]]] = [
            (self.folder, str(root), (self._root,))
        ]
        while self._waiting:
            self._read(*self._waiting.pop())
        for folder in self.folder.below():
            folder.folders.sort(key=lambda inner: order(inner.entry))

    def _read(self, folder: Folder, path: str, above: tuple[str, ...]) -> None:
        """Read the names in a folder. above: real paths of the folder and those above it."""
        try:
            folder.changed = os.stat(path).st_mtime_ns  # noqa: PTH116
            with os.scandir(path) as entries:
                for entry in entries:
                    self._add(folder, entry, above)
        except OSError as error:
            folder.errors.append(error)

    def _add(self, folder: Folder, entry: os.DirEntry[str], above: tuple[str, ...]) -> None:
        name, is_folder = entry.name, _is_dir(entry)
        if hidden(name):
            if not is_folder:
                folder.others[kind(name)] += 1
            elif not entry.is_symlink() and (count := _count(entry.path)):
                folder.others[_of_folder(name)] += count
        elif is_folder:
            if here := self._followed(folder, entry, above):
                inner = Folder(Path(entry.path))
                folder.folders.append(inner)
                self._waiting.append((inner, entry.path, (*above, here)))
        elif _is_image(name):
            folder.images.append(Path(entry.path))
        else:
            folder.others[kind(name)] += 1

    def _followed(self, folder: Folder, entry: os.DirEntry[str], above: tuple[str, ...]) -> str:
        """Return the real path of a folder that is walked, else ""."""
        if not entry.is_symlink():
            return os.path.join(above[-1], entry.name)  # noqa: PTH118
        target = os.path.realpath(entry.path)
        try:
            need_within(self._root, entry.path)
        except DataError as error:
            if self._inside:
                folder.errors.append(error)
            else:
                folder.unfollowed.append(entry.path)
            return ""
        if target in above:
            folder.unfollowed.append(entry.path)
            return ""
        self._links += 1
        if self._links > _MOST_LINKS:
            folder.errors.append(
                DataError(
                    f"{self._root} has over {_MOST_LINKS:,} links to folders, counted anew in each",
                    found=entry.path,
                    remedy="links to images in place of links to folders",
                )
            )
            return ""
        return target


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _of_folder(name: str) -> str:
    return "in a hidden folder" if name.startswith(".") else "in a folder of the system"


def _count(folder: str) -> int:
    """Return the number of files below a hidden folder; what cannot be read has none."""
    return sum(len(files) for _, _, files in os.walk(folder))
