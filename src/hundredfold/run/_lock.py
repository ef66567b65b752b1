"""The lock of a run's only writer."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hundredfold import locks
from hundredfold.errors import UsageError
from hundredfold.run import plain

_FILE = ".lock"
_TRIES, _PAUSE = 5, 0.05  # attempts, seconds; a reader of `info` may hold the lock for a moment


def is_held(folder: Path) -> bool:
    """Return whether a process writes the run in this folder."""
    return plain.exists(folder / _FILE) and locks.is_held(plain.need_file(folder, _FILE))


@contextmanager
def writer(folder: Path) -> Iterator[None]:
    """Hold the lock; see `Run.writer`."""
    plain.need_own(folder)
    try:
        file = (folder / _FILE).open("a")
    except OSError as error:
        raise UsageError(f"cannot write in the run {str(folder)!r}", found=error.strerror) from None
    with file, ExitStack() as lock:
        for last in (*[False] * _TRIES, True):
            try:
                lock.enter_context(locks.exclusive(file, wait=False))
                break
            except BlockingIOError:
                if last:
                    raise _written_elsewhere(folder) from None
                time.sleep(_PAUSE)
        yield


def _written_elsewhere(folder: Path) -> UsageError:
    return UsageError(
        f"another process is writing the run {str(folder)!r}",
        remedy="wait for it, or choose another --name",
    )
