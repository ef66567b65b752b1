"""Write files atomically: a crash leaves either the old file or the new one."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

_TEMPORARY = ".part"


def write(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Replace a file atomically: temporary file beside it, fsync, rename, fsync of the folder.

    content: the bytes, or a function that writes them to a binary stream.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY}")
    try:
        with temporary.open("xb") as file:  # permissions follow the umask
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a text file (UTF-8) atomically."""
    write(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file atomically, indented. Raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def remove_temporary_files(folder: Path) -> None:
    """Delete the temporary files of a killed `write`; no other process may be writing."""
    for path in folder.glob(f".*{_TEMPORARY}"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that renames and new files in it survive a power failure."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows, where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
