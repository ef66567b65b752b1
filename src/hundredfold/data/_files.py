"""Source files: their checksums, and one-sentence errors where one cannot be read."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hundredfold.cache import Store
from hundredfold.errors import DataError

_KEPT = 1000  # files whose sha256 is cached
_VERSION = 1


def fingerprint(cache: Path, file: Path) -> str:
    """Return the sha256 (hex) of a file, cached while its size and times do not change.

    Raises DataError where the file cannot be read.
    """
    file = file.resolve()
    with reading():
        about = file.stat()
    times = [about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    store = Store(cache, "fingerprints", version=_VERSION, keep=_KEPT)
    key = store.key(os.fsencode(file).hex())
    stored = store.load(key)
    if stored and stored["times"] == times:
        return str(stored["sha256"])
    with reading(), file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    store.save(key, {"times": times, "sha256": sha256})
    return sha256


@contextmanager
def reading() -> Iterator[None]:
    """Turn an OSError of the block into a DataError of one sentence."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}",
            remedy="check that the file is there and may be read",
        ) from error
