"""The location of the cache, and the error where it cannot be written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

from hundredfold.errors import DataError, UsageError

_REMEDY = "set HUNDREDFOLD_CACHE to a folder that can be written and has room"


class CacheError(DataError):
    """A required entry cannot be written (exit 3)."""


def location() -> Path:
    """Return the cache folder: HUNDREDFOLD_CACHE, else the user's cache folder.

    A user without a home gets a folder in the temporary folder. Raises UsageError where that
    folder belongs to another user.
    """
    if path := os.environ.get("HUNDREDFOLD_CACHE"):
        return _expanded(path)
    with suppress(RuntimeError):  # there is no home
        return user_cache_path("hundredfold", appauthor=False)
    folder = Path(tempfile.gettempdir()) / f"hundredfold-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UsageError(
            f"there is no home folder, and {folder} belongs to another user", remedy=_REMEDY
        )
    return folder


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"HUNDREDFOLD_CACHE={path}: there is no home folder", remedy=_REMEDY
        ) from None


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Turn an OSError of the block into a CacheError of one sentence."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"cannot write in the cache {root}: {error.strerror or error}", remedy=_REMEDY
        ) from error
