"""Read the bytes of an image file: a regular file, or a member of an archive."""

import os
import stat
from pathlib import Path
from typing import IO

from hundredfold.data._archives import Member
from hundredfold.errors import DataError

MOST_BYTES = 32 * 2**20


def read_bytes(file: Path | Member | bytes, most: int = MOST_BYTES + 1) -> bytes:
    """Return the first bytes of a file. Raises DataError for a file of over MOST_BYTES bytes."""
    if isinstance(file, Member):
        file = file.read(most)
    if isinstance(file, Path):
        with _opened(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            file = stream.read(most) if min(size, most) <= MOST_BYTES else bytes(MOST_BYTES + 1)
    if len(file) > MOST_BYTES:
        raise DataError(f"it takes over {MOST_BYTES >> 20} MB")
    return file


def _opened(file: Path) -> IO[bytes]:
    """Open a regular file; opening a pipe or a device might wait for ever, or do something."""
    if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116
        raise DataError("it is not a regular file")
    stream = open(file, "rb", buffering=0, opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise DataError("it is not a regular file")
    return stream


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
