"""Images in a .zip or .tar, read in place: members that are walked like the files of a folder.

Nothing is written beside the archive. A compressed .tar is decompressed once into a nameless
temporary file of the cache, as its members cannot be reached otherwise. Sizes are bounded before
anything is read: an archive that holds a hundred times its own size is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from hundredfold.errors import DataError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
RATIO = 100  # largest size of all images / size of the archive; about 1 for JPEG and PNG
_SMALL = 16 * 2**20  # bytes that any archive may hold
_MEMBERS = 2_000_000
_DEPTH = 100  # folders, one in another

Parts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Member:
    """A file or folder of an archive, with those methods of `Path` that a scan needs.

    parts: names from the archive's root, which has none.
    """

    parts: Parts
    archive: "Archive" = field(compare=False, repr=False)

    def __str__(self) -> str:
        return "/".join((str(self.archive.path), *self.parts))

    def __truediv__(self, name: str) -> "Member":
        return Member((*self.parts, *PurePosixPath(name).parts), self.archive)

    @property
    def name(self) -> str:
        return self.parts[-1] if self.parts else self.archive.path.name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "Member":
        return Member(self.parts[:-1], self.archive)

    def is_dir(self) -> bool:
        return self.parts in self.archive.folders

    def is_file(self) -> bool:
        return self.parts in self.archive.stored

    def resolve(self) -> "Member":
        return self

    def iterdir(self) -> Iterator["Member"]:
        """Yield the files and folders directly in a folder."""
        for name in self.archive.folders.get(self.parts, ()):
            yield Member((*self.parts, name), self.archive)

    def read(self, most: int) -> bytes:
        """Return the first `most` bytes of the file."""
        return self.archive.read(self.archive.stored[self.parts], most)

    def facts(self) -> tuple[int, ...]:
        """Return the size, and what tells another content of the same name: checksum or times."""
        return self.archive.stored[self.parts].facts


@dataclass(frozen=True)
class Stored:
    """Where a member's bytes are. key: offset in a .tar, or number of the entry in a .zip."""

    key: int
    size: int
    facts: tuple[int, ...]


class Archive:
    """An opened archive: its files, its folders, and how their bytes are read."""

    def __init__(
        self, path: Path, stored: Mapping[Parts, Stored], read: Callable[[Stored, int], bytes]
    ) -> None:
        self.path, self.stored, self.read = path, stored, read

    @cached_property
    def folders(self) -> Mapping[Parts, list[str]]:
        """The names in each folder, in the order of the archive."""
        folders: dict[Parts, dict[str, None]] = {(): {}}
        for parts in self.stored:
            for depth in range(len(parts)):
                folders.setdefault(parts[:depth], {})[parts[depth]] = None
        return {folder: list(names) for folder, names in folders.items()}


def is_archive(path: Path) -> bool:
    """Return whether a file has the name of an archive that can be read."""
    return path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """Return an archive's name without its suffixes."""
    lower = path.name.lower()
    suffix = max((s for s in SUFFIXES if lower.endswith(s)), key=len, default="")
    return path.name[: len(path.name) - len(suffix)] or path.name


def safe_parts(path: Path, name: str) -> Parts:
    """Return the parts of a member's name. Raises DataError where it leads out of the archive."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise DataError(
            f"{path} holds {name!r}, which leads out of it",
            remedy="make the archive again, with names below one folder",
        )
    if len(pure.parts) > _DEPTH:
        raise DataError(
            f"{path} holds a file in {len(pure.parts):,} folders",
            found=f"at most {_DEPTH} are read",
            remedy="make the archive again, with one folder per class",
        )
    return pure.parts


def need_bounded(path: Path, members: int, size: int) -> None:
    """Raise DataError for more members or bytes than the archive of any images holds."""
    own = path.stat().st_size
    if members > _MEMBERS or size > _SMALL + RATIO * own:
        held = f"{members:,} files" if members > _MEMBERS else f"{size / 2**20:,.0f} MB"
        raise DataError(
            f"{path} would expand to {held}, which no archive of images of its size does",
            found=f"{own / 2**20:,.1f} MB; at most {RATIO} times that is read",
            remedy="unpack it yourself if you trust it, and name the folder",
        )
