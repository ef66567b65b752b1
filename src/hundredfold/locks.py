"""Exclusive locks; a lock goes with the process that holds it, even with kill -9."""

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


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Be the only process that writes a path; `.<name>.lock` beside it is there meanwhile.

    Where this one does not wait, BlockingIOError says that another one writes.
    """
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with lock.open("a") as file, exclusive(file, wait=wait):
            if not _is_at(lock, os.fstat(file.fileno())):  # removed while this one waited
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    lock.unlink()
            return


def is_held(path: Path) -> bool:
    """Tell whether a process holds a file's lock; True where that cannot be found out."""
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
    text = "this system has no file locks; let one process at a time write a folder"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _is_at(path: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), about)
    except OSError:
        return False
