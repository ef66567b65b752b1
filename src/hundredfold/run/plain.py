"""Open files of a run's folder without leaving it: no links, no devices, bounded sizes.

A run may come from anybody. A link in it could lead a reader to a device that never ends, and a
writer to a file of the user's. So a file is opened only if it is a regular file below the folder,
and nothing is written into a folder that contains a link or a special file.
"""

import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from hundredfold import files, wording
from hundredfold.errors import DataError

_FOLDERS = ("weights", "state", "figures", "source")
_SUFFIXES = {".toml", ".json", ".jsonl", ".txt", ".npy", ".csv", ".html", ".svg", ".safetensors"}
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # or a named pipe would wait for a writer
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def exists(path: Path) -> bool:
    """Return whether there is a file, a folder or a link, even one that leads nowhere."""
    return os.path.lexists(path)


def need_file(folder: Path, name: str) -> Path:
    """Return the path of a regular file of a folder, with no link on the way to it.

    name: relative to the folder, such as "weights/best.safetensors". Raises DataError.
    """
    path = folder
    for part in Path(name).parts:
        path = path / part
        if path.is_symlink():
            raise _is_link(path)
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}", found=error.strerror) from None
    if not stat.S_ISREG(mode):
        raise DataError(f"cannot read {str(path)!r}", found="it is not a regular file")
    return path


def need_folder(folder: Path, name: str) -> Path:
    """Return the path of a folder in a folder. Raises DataError where it is a link."""
    if (folder / name).is_symlink():
        raise _is_link(folder / name)
    return folder / name


def opened(folder: Path, name: str, most: int) -> BufferedReader:
    """Open a regular file of a folder for reading.

    most: bytes. Raises DataError for a link, a special file, a larger file, and where it cannot
    be opened.
    """
    path = need_file(folder, name)
    try:
        file = os.fdopen(os.open(path, _FLAGS), "rb")
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}", found=error.strerror) from None
    size = os.fstat(file.fileno()).st_size
    if size <= most:
        return file
    file.close()
    found = f"{wording.memory(size)}, and {wording.memory(most)} are read at most"
    raise DataError(f"cannot read {str(path)!r}", found=found)


def content(folder: Path, name: str, most: int) -> bytes:
    """Return the bytes of a regular file of a folder; errors as in `opened`."""
    with opened(folder, name, most) as file:
        try:
            return file.read(most)
        except OSError as error:
            path = str(folder / name)
            raise DataError(f"cannot read {path!r}", found=error.strerror) from None


def need_own(folder: Path) -> None:
    """Raise DataError unless all that is written in a run's folder stays within it.

    No entry of the folder, or of its folders that the program writes, is a link or a special file;
    and none that the program writes is a folder in place of a file, or a file in place of a folder.
    """
    for entry in _entries(folder):
        path = Path(entry.path)
        if entry.is_symlink():
            raise _is_link(path)
        if entry.is_dir(follow_symlinks=False):
            wrong = path.suffix in _SUFFIXES or path.name == ".lock"
        else:
            own = path.parent == folder and path.name in _FOLDERS
            wrong = own or not entry.is_file(follow_symlinks=False)
        if wrong:
            raise DataError(
                f"{str(path)!r} is not what a run has under that name",
                remedy="remove it; nothing is written in this run as it is",
            )


def size(folder: Path) -> int:
    """Return the bytes of all regular files below a folder; links are not followed.

    Files that share an inode, as equal weights do, are counted once.
    """
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                about = Path(parent, name).lstat()
            except OSError:  # deleted meanwhile
                continue
            if stat.S_ISREG(about.st_mode):
                sizes[about.st_dev, about.st_ino] = about.st_size
    return sum(sizes.values())


def append(path: Path, text: str) -> None:
    """Append to a file of a run; one that shares its content with a hard link is copied first."""
    if path.exists() and path.stat().st_nlink > 1:
        files.write(path, path.read_bytes() + text.encode())
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError as error:
        raise DataError(f"cannot read the run {str(folder)!r}", found=error.strerror) from None
    for entry in listed:
        yield entry
        if entry.name in _FOLDERS and entry.is_dir(follow_symlinks=False):
            yield from _entries(folder / entry.name)


def _is_link(path: Path) -> DataError:
    return DataError(
        f"{str(path)!r} is a link, which a run never contains",
        found=f"it leads to {str(path.readlink())!r}",
        remedy="put the file itself there if you trust it",
    )
