"""Files in the cache: written whole or not at all, and source files known by their checksum."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hundredfold.errors import DataError


def fingerprint(cache: Path, file: Path) -> str:
    """Return the sha256 hex of a file, remembered while its size and times stay the same."""
    file = file.resolve()
    about = file.stat()
    times = [about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    note = cache / "seen" / f"{hashlib.sha256(os.fsencode(file)).hexdigest()[:32]}.json"
    seen = read_json(note)
    if seen.get("times") == times and isinstance(seen.get("sha256"), str):
        return str(seen["sha256"])
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    with writing(cache):
        write(note, json.dumps({"times": times, "sha256": sha256}).encode())
    return sha256


def write(target: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            flush(stream)
        Path(name).replace(target)
        flush_folder(target.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file, or {} where there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def flush(stream: IO[bytes]) -> None:
    """Bring a file's content to the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def flush_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(cache: Path) -> Iterator[None]:
    """Turn a failure to write in the cache into one sentence."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write in the cache {cache}: {error.strerror or error}",
            remedy="make room there, or set HUNDREDFOLD_CACHE to a folder with room",
        ) from error
