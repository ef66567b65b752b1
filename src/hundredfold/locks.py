"""Exclusive locks on files; a lock goes with the process that holds it, even with kill -9."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, Any

from hundredfold.errors import HundredfoldWarning, UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def exclusive(file: IO[Any], *, wait: bool) -> Iterator[None]:
    """Hold the only lock on an open file (flock).

    wait: whether to wait for another process that holds it. Where this one does not wait,
    BlockingIOError says that there is such a process. Raises UsageError where the file system
    cannot lock. Where the operating system has no such locks, warns once and locks nothing.
    """
    if fcntl is None:
        _warn()
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # EWOULDBLOCK or EAGAIN, and nothing else, is another process
        raise
    except OSError as error:
        raise UsageError(
            f"cannot lock {str(file.name)!r}",
            found=error.strerror,
            remedy="a disk that has file locks: --out for runs, HUNDREDFOLD_CACHE for the cache",
        ) from None
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


@cache
def _warn() -> None:
    text = "this system has no file locks; let one process at a time write a folder"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)
