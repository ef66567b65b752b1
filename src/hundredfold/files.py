"""Write files atomically: a crash leaves either the old file or the new one.

Some disks cannot flush a folder or rename a file onto another. There a warning says once what is
lost, and the file is written nevertheless.
"""

import errno
import json
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from hundredfold.errors import HundredfoldWarning

TEMPORARY = ".part"
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_CANNOT_RENAME = _UNSUPPORTED | {errno.EPERM, errno.EACCES, errno.EEXIST, errno.EXDEV}


def write(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Replace a file atomically: temporary file beside it, fsync, rename, fsync of the folder.

    content: the bytes, or a function that writes them to a binary stream.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:  # permissions follow the umask
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            sync(file.fileno())
        move(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a text file (UTF-8) atomically; bytes of names that are no UTF-8 are escaped.

    In JSON the escape reads back as the same name.
    """
    write(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file atomically, indented. Raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def temporary_folder(prefix: str = "tmp") -> Iterator[Path]:
    """Yield a new folder of the user's own that is removed at the end, as far as the disk allows.

    `tempfile.TemporaryDirectory` does not end where a folder may not be removed (Python 3.11).
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move(source: Path, target: Path) -> None:
    """Rename a file onto another, or a folder to a free name, on the same disk.

    Where the disk cannot rename, it is copied, which a crash can interrupt; a full disk leaves the
    old file. Raises OSError where a folder's name is taken.
    """
    folder = source.is_dir()
    try:
        source.replace(target)
    except OSError as error:
        taken = folder and (target.exists() or target.is_symlink())
        if error.errno not in _CANNOT_RENAME or taken:
            raise
        _copy(source, target)
        _warn("rename files", "a crash can leave an incomplete file")


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder to a path, of which a link is replaced and not followed."""
    if source.is_dir():
        try:
            shutil.copytree(source, target, symlinks=True)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        shutil.rmtree(source, ignore_errors=True)
        return
    spare = _temporary(target)
    try:
        _copy_file(source, spare)  # the target stays where that fails
        _put(spare, source, target)
    finally:
        spare.unlink(missing_ok=True)
    source.unlink()


def _put(spare: Path, source: Path, target: Path) -> None:
    """Put a file in place of another: by the one of its two copies that is on the target's disk."""
    try:
        spare.replace(target)
    except OSError as error:
        if error.errno not in _CANNOT_RENAME:
            raise
        spare.unlink()  # there was room for it, so there is for the next copy
        target.unlink(missing_ok=True)
        _copy_file(source, target)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("xb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        sync(new.fileno())


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")


def remove_temporary_files(folder: Path) -> None:
    """Delete the temporary files of a killed `write`; no other process may be writing."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def sync(descriptor: int) -> None:
    """Flush an open file or folder; warn once where its disk cannot."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _warn("flush what is written", "a power failure can lose it")


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that renames and new files in it survive a power failure."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows, where a folder cannot be opened
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that can be written and not listed
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _warn(cannot: str, consequence: str) -> None:
    text = f"this disk cannot {cannot}; {consequence}"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)
