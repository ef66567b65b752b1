"""Paths as a user writes them."""

import os
from pathlib import Path

from hundredfold.errors import UsageError


def expanded_text(text: str | os.PathLike[str]) -> str:
    """Return a name or a path as text, with a leading ~ or ~user expanded.

    Raises UsageError for ~ without a home folder. ~user of an unknown user is a name like others.
    """
    written = os.fspath(text)
    path = os.path.expanduser(written)  # noqa: PTH111  it may be a name, not a path
    if path == written and written.partition("/")[0] == "~":
        raise UsageError(
            f"{written!r}: there is no home folder", remedy="the whole path, or set HOME"
        )
    return path


def expanded(text: str | os.PathLike[str]) -> Path:
    """Return a path with a leading ~ or ~user expanded; see `expanded_text`."""
    return Path(expanded_text(text))
