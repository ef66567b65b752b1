"""Files in the cache, and source files known by their checksum."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hundredfold import files
from hundredfold.errors import DataError


def fingerprint(cache: Path, file: Path) -> str:
    """Return the sha256 hex of a file, remembered while its size and times stay the same."""
    file = file.resolve()
    with reading():
        about = file.stat()
    times = [about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    note = cache / "seen" / f"{hashlib.sha256(os.fsencode(file)).hexdigest()[:32]}.json"
    seen = read_json(note)
    if seen.get("times") == times and isinstance(seen.get("sha256"), str):
        return str(seen["sha256"])
    with reading(), file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    with writing(cache):
        note.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(note, {"times": times, "sha256": sha256})
    return sha256


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


@contextmanager
def reading() -> Iterator[None]:
    """Turn a failure to read a user's file into one sentence."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}",
            remedy="check that the file is there and may be read",
        ) from error
