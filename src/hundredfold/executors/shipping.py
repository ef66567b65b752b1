"""Folders as tar archives in pieces: pack, verify and unpack them, and adapt the paths in run.json.

A received archive may come from anybody who can reach the cluster. Only regular files and folders
below the target are written.
"""

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hundredfold import files, run
from hundredfold.errors import DataError

PIECE = 1 << 26  # bytes of a piece of an archive, at least, but for the last
_LEFT_OUT = (".lock",)
_PART = ".part"  # suffix of incomplete files, as in `files`
_PLACED = ("data", "weights", "command")  # keys of run.json that hold paths


class _Pieces(io.RawIOBase):
    """A stream that hands on what is written in pieces, and takes its SHA-256."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink, self._parts, self._size = sink, list[bytes](), 0
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        block = bytes(data)
        self.sha256.update(block)
        self._parts.append(block)
        self._size += len(block)
        if self._size >= PIECE:
            self.hand_on()
        return len(block)

    def hand_on(self) -> None:
        if self._parts:
            self._sink(b"".join(self._parts))
            self._parts, self._size = [], 0


class _Joined(io.RawIOBase):
    """The stream that some pieces are of."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._left = iter(pieces), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def pack(root: Path, sink: Callable[[bytes], object], *, name: str = "", dated: bool = True) -> str:
    """Hand the archive of a file or folder to `sink` in pieces; return its SHA-256 (hex).

    name: of the root in the archive; "" puts a folder's content at the top.
    dated: whether files keep their times. Without times, equal content has an equal digest.

    Links to files and folders are followed where they are; locks and incomplete files are left out.
    """
    stream = _Pieces(sink)
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, inside in _files(root, name):
            about = path.stat()
            if not stat.S_ISREG(about.st_mode):
                continue
            member = tarfile.TarInfo(inside)
            member.size, member.mtime = about.st_size, about.st_mtime if dated else 0
            with path.open("rb") as file:
                archive.addfile(member, file)
    stream.hand_on()
    return stream.sha256.hexdigest()


def packed(root: Path) -> list[bytes]:
    """Return the archive of a folder in pieces."""
    pieces: list[bytes] = []
    pack(root, pieces.append)
    return pieces


def _files(root: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Yield each file and its name in the archive, in a fixed order."""
    if root.is_file():
        yield root, name or root.name
        return
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(root, followlinks=True):
        about = Path(parent).stat()
        if (about.st_dev, about.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders.sort()
        for file in sorted(names):
            if file in _LEFT_OUT or file.endswith(_PART):
                continue
            path = Path(parent, file)
            if path.exists():
                yield path, str(PurePosixPath(name, path.relative_to(root).as_posix()))


def unpack(pieces: Iterable[bytes], folder: Path) -> None:
    """Write the files of an archive into a folder, which is made.

    Raises DataError for an archive that is damaged, and for a member that is no regular file, or
    that would lie outside the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Joined(pieces)), mode="r|") as archive:
            for member in archive:
                _write(archive, member, folder)
    except tarfile.TarError as error:
        raise _refused(str(error)) from None


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in member.name:
        raise _refused(f"{member.name!r} leads out of the folder")
    if not member.isreg():
        raise _refused(f"{member.name!r} is not a regular file")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    assert source is not None
    try:
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file)
    except FileExistsError:
        raise _refused(f"{member.name!r} is there twice") from None
    if member.mtime:
        os.utime(target, (member.mtime, member.mtime))


def _refused(why: str) -> DataError:
    return DataError("a folder that came from another machine is not what was sent", found=why)


def adopt(pieces: Iterable[bytes], folder: Path, places: Mapping[str, str]) -> None:
    """Put a run that was packed elsewhere in place, whole; its paths become those of here.

    folder: of the run here. places: path there -> path here. Raises DataError and UsageError.
    """

    def fill(new: Path) -> None:
        unpack(pieces, new)
        for name in ("weights", "state"):
            (new / name).mkdir(exist_ok=True)
        relocate(new, places)

    run.adopt(folder, fill)


def relocate(folder: Path, places: Mapping[str, str]) -> None:
    """Replace paths of another machine in a run's run.json.

    places: path there -> path here; the longest that matches is taken.
    """
    path = folder / "run.json"
    if not path.is_file():
        return
    info = json.loads(path.read_text(encoding="utf-8"))
    ordered = sorted(places.items(), key=lambda pair: -len(pair[0]))
    moved = {key: _moved(info[key], ordered) for key in _PLACED if key in info}
    about = path.stat()
    files.write_json(path, info | moved)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def _moved(value: Any, places: list[tuple[str, str]]) -> Any:
    if isinstance(value, dict):
        return {key: _moved(inner, places) for key, inner in value.items()}
    if isinstance(value, str):
        for there, here in places:
            value = value.replace(there, here)
    return value
