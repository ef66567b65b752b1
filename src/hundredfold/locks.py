"""Exclusive file locks; a lock ends with the process that holds it, even after kill -9."""

import errno
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

_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


@contextmanager
def exclusive(file: IO[Any], *, wait: bool) -> Iterator[None]:
    """Hold the exclusive lock on an open file (flock) within the block.

    wait: whether to wait while another process holds it; otherwise BlockingIOError is raised.

    Where the system or the disk has no locks, as on Windows or some network disks, it warns once
    and locks nothing. Raises UsageError where locking fails for another reason.
    """
    if fcntl is None:
        _warn("this system")
        yield
        return
    locked = True
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # EWOULDBLOCK or EAGAIN: another process holds the lock
        raise
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise UsageError(
                f"cannot lock {str(file.name)!r}",
                found=error.strerror,
                remedy="another disk: --out for runs, HUNDREDFOLD_CACHE for the cache",
            ) from None
        _warn("this disk")
        locked = False
    try:
        yield
    finally:
        if locked:
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
def _warn(where: str) -> None:
    text = f"{where} has no file locks; let only one process at a time write a folder"
    warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _is_at(path: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), about)
    except OSError:
        return False
