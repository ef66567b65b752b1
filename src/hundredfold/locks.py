"""Exclusive file locks; a lock ends with the process that holds it, even after kill -9."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from hundredfold.errors import HundredfoldWarning, UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def exclusive(file: IO[Any], *, wait: bool) -> Iterator[None]:
    """Hold the exclusive lock on an open file (flock) within the block.

    wait: whether to wait while another process holds it; otherwise BlockingIOError is raised.

    Raises UsageError where the file system cannot lock. On Windows, which has no flock, warns
    once and locks nothing.
    """
    if fcntl is None:
        _warn()
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # EWOULDBLOCK or EAGAIN: another process holds the lock
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


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Be the only process that writes a path, by the lock file `.<name>.lock` beside it.

    wait: whether to wait while another process writes; otherwise BlockingIOError is raised.
    """
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with lock.open("a") as file, exclusive(file, wait=wait):
            if not _is_at(lock, os.fstat(file.fileno())):  # deleted while this process waited
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    lock.unlink()
            return


def is_held(path: Path) -> bool:
    """Return whether a process holds a file's lock; True where that cannot be determined."""
    if fcntl is None:
        return True
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@cache
def _warn() -> None:
    text = "this system has no file locks; let only one process at a time write a folder"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _is_at(path: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), about)
    except OSError:
        return False
