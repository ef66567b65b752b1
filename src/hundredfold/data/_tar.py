"""The members of a .tar, plain or compressed by gzip; the list of them is cached."""

import gzip
import os
import posixpath
import tarfile
import tempfile
import threading
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from hundredfold.cache import Store, writing
from hundredfold.data._archives import Archive, Parts, Stored, need_bounded, safe_parts
from hundredfold.data._formats import SUFFIXES as IMAGES
from hundredfold.errors import DataError

_KEPT = 20  # lists of members that stay in the cache
_VERSION = 1
_CHUNK = 2**20
_HOPS = 8  # links from one to the next


class _Opened:
    """The uncompressed bytes of a .tar, opened at the first read and closed when unused."""

    def __init__(self, path: Path, cache: Path) -> None:
        self._path, self._cache = path, cache
        self._descriptor, self._lock = -1, threading.Lock()

    def read(self, member: Stored, most: int) -> bytes:
        with self._lock:
            if self._descriptor < 0:
                self._open()
        return os.pread(self._descriptor, min(member.size, most), member.key)

    def _open(self) -> None:
        with _uncompressed(self._path, self._cache) as stream:
            self._descriptor = os.dup(stream.fileno())
        weakref.finalize(self, os.close, self._descriptor)


def archive(path: Path, cache: Path) -> Archive:
    """Open a .tar or .tar.gz; its whole length is read at the first time.

    Raises DataError for links that lead out of it, and where it would expand too much.
    """
    about = path.stat()
    facts = (about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    store = Store(cache, "archives", version=_VERSION, keep=_KEPT)
    key = store.key(os.fsencode(path.resolve()).hex(), facts)
    members = store.load(key)
    if members is None:
        with _uncompressed(path, cache) as stream:
            members = _members(path, stream)
        store.save(key, members)
    need_bounded(path, len(members), sum(size for _, _, size in members))
    stored = {tuple(parts): Stored(at, size, (size, at, *facts)) for parts, at, size in members}
    return Archive(path, stored, _Opened(path, cache).read)


def _members(path: Path, stream: IO[bytes]) -> list[tuple[Parts, int, int]]:
    """Return the name, offset and size of each file; a link stands for the file it names."""
    found: dict[Parts, tuple[int, int]] = {}
    links: dict[Parts, str] = {}
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            parts = safe_parts(path, member.name)
            if member.isreg():
                found[parts] = (member.offset_data, member.size)
            elif (member.islnk() or member.issym()) and parts[-1].lower().endswith(tuple(IMAGES)):
                beside = posixpath.dirname(member.name) if member.issym() else ""
                links[parts] = posixpath.normpath(posixpath.join(beside, member.linkname))
    for parts, target in links.items():
        found[parts] = _linked(path, target, found, links)
    return [(parts, *where) for parts, where in found.items()]


def _linked(
    path: Path, target: str, found: dict[Parts, tuple[int, int]], links: dict[Parts, str]
) -> tuple[int, int]:
    """Return offset and size of the file that a link leads to."""
    for _ in range(_HOPS):
        parts = safe_parts(path, target)
        if parts in found:
            return found[parts]
        target = links.get(parts, target)
    raise DataError(f"{path} holds a link to {target!r}, which is not in it")


def _uncompressed(path: Path, cache: Path) -> IO[bytes]:
    """Open a .tar, or the temporary file into which a .tar.gz is decompressed."""
    if not path.name.lower().endswith("gz"):
        return path.open("rb")
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        target = tempfile.TemporaryFile(dir=cache)  # noqa: SIM115  the caller closes it
    try:
        with gzip.open(path, "rb") as source:
            _copy(path, cache, source.read, target)
    except (EOFError, OSError, zlib.error) as error:
        target.close()
        raise DataError(
            f"{path} is truncated or damaged", found=str(error), remedy="make or download it again"
        ) from None
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def _copy(path: Path, cache: Path, read: Callable[[int], bytes], target: IO[bytes]) -> None:
    size = 0
    while block := read(_CHUNK):
        size += len(block)
        need_bounded(path, 0, size)
        with writing(cache):
            target.write(block)
