"""A store of one kind of entry."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import files, locks
from hundredfold.cache import _sealed
from hundredfold.cache._location import CacheError, writing

_DAY = 86400.0  # seconds; writing a value never takes that long
_PART = ".part"  # suffix of incomplete files, as in `files`
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A folder of intact files, and the JSON value that was stored with them."""

    folder: Path
    facts: Any


class Store:
    """The cache entries of one kind.

    root:    the cache folder.
    version: increase it when the same facts would give another content.
    keep:    number of entries that stay; the least recently used are deleted.
    unused:  seconds since its last use before an entry may be deleted.
    unread:  names of files that are large and that their reader checks, piece by piece.
    """

    def __init__(
        self,
        root: Path,
        kind: str,
        *,
        version: int,
        keep: int,
        unused: float = 0.0,
        unread: Collection[str] = (),
    ) -> None:
        self._root, self._home, self._unread = root, root / kind, unread
        self._version, self._keep, self._unused = version, keep, unused

    def key(self, *facts: Any) -> str:
        """Return the key of the entry that these JSON values determine."""
        text = json.dumps([self._version, *facts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def path(self, key: str) -> Path:
        """Return the path of an entry, which need not exist."""
        return self._home / key

    def load(self, key: str) -> Any:
        """Return a JSON value; None where it is missing or damaged."""
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
        """Return the entry of a folder whose files are intact; None where there is none.

        Logs a warning for a damaged folder. Every file is read once per process.
        """
        entry = self._whole(key)
        if entry is None and self.path(key).is_dir():
            _LOG.warning("warning: %s is damaged and will be created again", self.path(key))
        return entry

    def make(self, key: str, write: Callable[[Path], Any]) -> Entry:
        """Return the entry of a folder; if missing, `write` fills it and returns its facts.

        One process writes while the others wait for it. Raises CacheError where the folder
        cannot be written, and whatever `write` raises.
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
            raise CacheError(f"{self.path(key)} was damaged meanwhile", remedy="run it again")
        return entry

    def mark_used(self, key: str) -> None:
        """Set the time of an entry's last use to now, if the cache can be written."""
        with suppress(OSError):
            os.utime(self.path(key))

    def drop_old(self) -> None:
        """Delete the least recently used entries, and incomplete ones of killed processes.

        Folders that are being written stay. A memory-mapped file remains usable after deletion.
        """
        with suppress(OSError):
            entries = [path for path in self._home.iterdir() if not path.name.startswith(".")]
            for path in sorted(entries, key=_idle)[self._keep :]:
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
        shutil.rmtree(part, ignore_errors=True)  # left by a killed process
        part.mkdir()
        try:
            _sealed.seal(part, write(part), self._unread)
            shutil.rmtree(self.path(key), ignore_errors=True)  # a damaged one
            files.move(part, self.path(key))
            files.sync_folder(self._home)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _remove(path: Path, entry: Path) -> None:
    """Delete a file, or a folder unless another process writes its entry."""
    with suppress(OSError):
        if not path.is_dir():
            path.unlink()
            return
        with locks.alone(entry, wait=False):
            shutil.rmtree(path, ignore_errors=True)


def _idle(path: Path) -> float:
    """Return the seconds since the last use; 0 where another process has deleted it."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
