"""A store of one kind of entry."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import files, locks
from hundredfold.cache import _sealed
from hundredfold.cache._location import CacheError, writing

_DAY = 86400.0  # seconds; no value takes that long to write
_PART = ".part"  # as `files` names what is being written
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A folder of files as they were written, and the JSON value that was stored with them."""

    folder: Path
    facts: Any


class Store:
    """Entries of one kind.

    version: raise it when the same facts would give another content.
    keep:    entries that stay; those whose last use is longest ago go first.
    unused:  seconds since its last use before an entry may go.
    """

    def __init__(
        self, root: Path, kind: str, *, version: int, keep: int, unused: float = 0.0
    ) -> None:
        self._root, self._home = root, root / kind
        self._version, self._keep, self._unused = version, keep, unused

    def key(self, *facts: Any) -> str:
        """Return the key of an entry that these JSON values decide."""
        text = json.dumps([self._version, *facts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def path(self, key: str) -> Path:
        """Return where an entry is, or would be."""
        return self._home / key

    def load(self, key: str) -> Any:
        """Return a JSON value; None where there is none or a damaged one."""
        value = _sealed.read_value(self.path(f"{key}.json"))
        if value is not None:
            self.mark_used(f"{key}.json")
        return value

    def save(self, key: str, value: Any) -> None:
        """Store a JSON value if that is possible."""
        with suppress(OSError):
            self._home.mkdir(parents=True, exist_ok=True)
            _sealed.write_value(self.path(f"{key}.json"), value)
            self.drop_old()

    def open(self, key: str) -> Entry | None:
        """Return a folder whose files are as they were written; None where there is none.

        Warns of a damaged one. Every file is read once a process.
        """
        entry = self._whole(key)
        if entry is None and self.path(key).is_dir():
            _LOG.warning("warning: %s is damaged and is made anew", self.path(key))
        return entry

    def make(self, key: str, write: Callable[[Path], Any]) -> Entry:
        """Return a folder; where there is none, `write` fills it and returns its facts.

        One process writes and the others wait for it. Raises CacheError where the folder cannot
        be written, and what `write` raises.
        """
        if (entry := self.open(key)) is not None:
            return entry
        with writing(self._root):
            self._home.mkdir(parents=True, exist_ok=True)
            with locks.alone(self.path(key)):
                if (entry := self._whole(key)) is not None:
                    return entry
                self._write(key, write)
        self.drop_old()
        if (entry := self._whole(key)) is None:
            raise CacheError(f"{self.path(key)} was damaged meanwhile", remedy="start again")
        return entry

    def mark_used(self, key: str) -> None:
        """Note that an entry was used now, where that can be written."""
        with suppress(OSError):
            os.utime(self.path(key))

    def drop_old(self) -> None:
        """Drop what was not used for longest, and what killed processes left.

        Folders that are being written stay. Mapped files outlive their names.
        """
        with suppress(OSError):
            held = [path for path in self._home.iterdir() if not path.name.startswith(".")]
            for path in sorted(held, key=_idle)[self._keep :]:
                if _idle(path) >= self._unused:
                    _remove(path, path)
            for path in self._home.glob(f".*{_PART}"):
                if path.is_dir() or _idle(path) > _DAY:
                    _remove(path, self._home / path.name[1 : -len(_PART)])

    def _whole(self, key: str) -> Entry | None:
        folder = self.path(key)
        about = _sealed.read_about(folder)
        if about is None:
            return None
        self.mark_used(key)
        return Entry(folder, about["facts"])

    def _write(self, key: str, write: Callable[[Path], Any]) -> None:
        part = self._home / f".{key}{_PART}"
        shutil.rmtree(part, ignore_errors=True)  # a killed process left it
        part.mkdir()
        try:
            _sealed.seal(part, write(part))
            shutil.rmtree(self.path(key), ignore_errors=True)  # a damaged one
            part.rename(self.path(key))
            files.sync_folder(self._home)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _remove(path: Path, entry: Path) -> None:
    """Remove a file, or a folder that belongs to an entry which nobody writes."""
    with suppress(OSError):
        if not path.is_dir():
            path.unlink()
            return
        with locks.alone(entry, wait=False):
            shutil.rmtree(path, ignore_errors=True)


def _idle(path: Path) -> float:
    """Return the seconds since the last use; 0 where another process has removed it."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
