"""Files and JSON values that are stored with their sha256, so that damage is detected."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hundredfold import files

_ABOUT = "about.json"
_BYTES = "bytes "  # before the size that stands in place of a file's sha256


def write_value(path: Path, value: Any) -> None:
    """Replace a file with a JSON value and its sha256."""
    files.write_json(path, {"sha256": _sum(value), "value": value})


def read_value(path: Path) -> Any:
    """Return a JSON value as it was written; None where it is missing or damaged."""
    try:
        sealed = json.loads(path.read_bytes())
        return sealed["value"] if sealed["sha256"] == _sum(sealed["value"]) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def seal(folder: Path, facts: Any, unread: Collection[str] = ()) -> None:
    """Flush a folder's files to the disk; write their sha256 and `facts` to about.json.

    unread: names of files of which only the size is kept, as whoever reads them checks them.
    """
    sums = {}
    for path in sorted(folder.iterdir()):
        with path.open("r+b") as stream:
            files.sync(stream.fileno())
        sums[path.name] = _size(path) if path.name in unread else _sha256(path)
    write_value(folder / _ABOUT, {"files": sums, "facts": facts})


def read_about(folder: Path) -> dict[str, Any] | None:
    """Return about.json of a folder: "files" (name -> sha256 or size) and "facts".

    None where a file has changed since it was sealed.
    """
    about: dict[str, Any] | None = read_value(folder / _ABOUT)
    try:
        whole = about and all(_is_as_sealed(folder / n, s) for n, s in about["files"].items())
    except OSError:
        return None
    return about if whole else None


def discard(folder: Path) -> None:
    """Mark a folder as damaged, so that it is created again at its next use."""
    (folder / _ABOUT).unlink(missing_ok=True)


def _is_as_sealed(path: Path, seal: str) -> bool:
    return (_size(path) if seal.startswith(_BYTES) else _sha256(path)) == seal


def _size(path: Path) -> str:
    return f"{_BYTES}{path.stat().st_size}"


@dataclass(frozen=True)
class _File:
    """A file and the numbers (device, inode, size, times) that change with its content."""

    path: Path = field(compare=False)
    numbers: tuple[int, ...]


@lru_cache(maxsize=1000)
def _read(file: _File) -> str:
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256(path: Path) -> str:
    """Return a file's sha256 in hex; an unchanged file is read once per process."""
    about = path.stat()
    times = (about.st_mtime_ns, about.st_ctime_ns)
    return _read(_File(path, (about.st_dev, about.st_ino, about.st_size, *times)))


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
