"""Where the cache is, and what is said where it cannot be written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

from hundredfold.errors import DataError, UsageError

_REMEDY = "set HUNDREDFOLD_CACHE to a folder that can be written and has room"


class CacheError(DataError):
    """An entry that is needed cannot be written (exit 3)."""


def location() -> Path:
    """Return HUNDREDFOLD_CACHE, else the user's cache, else a folder of temporary files.

    The last is for a user without a home. Raises UsageError where it is somebody else's.
    """
    if named := os.environ.get("HUNDREDFOLD_CACHE"):
        return _expanded(named)
    with suppress(RuntimeError):  # there is no home
        return user_cache_path("hundredfold", appauthor=False)
    folder = Path(tempfile.gettempdir()) / f"hundredfold-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UsageError(f"there is no home, and {folder} is another user's", remedy=_REMEDY)
    return folder


def _expanded(named: str) -> Path:
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise UsageError(f"HUNDREDFOLD_CACHE={named}: there is no home", remedy=_REMEDY) from None


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Turn a failure to write in the cache into one sentence."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"cannot write in the cache {root}: {error.strerror or error}", remedy=_REMEDY
        ) from error
