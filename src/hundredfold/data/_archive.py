"""Read files from a .tar.gz to its end, without writing anything to the disk."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from hundredfold.errors import DataError

LIMIT = 400 * 2**20  # bytes after decompression; the largest CIFAR has 185 MB
RATIO = 100  # largest decompressed size / archive size; 1.1 for CIFAR
MEMBERS = 1000  # files and folders in an archive; 9 for CIFAR


class _Limited(io.RawIOBase):
    """A stream that raises DataError after `limit` bytes."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        data = self._stream.read(wanted)
        self._left -= len(data)
        if self._left < 0:
            raise DataError("it holds more than any archive of CIFAR")
        return data


def members(archive: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return file name -> content of the named files, in the order of `names`.

    The whole archive is read, so damage anywhere in it is detected. Links, folders and other
    names are skipped. Raises DataError for an archive that is damaged, too large or incomplete.
    """
    names = list(names)
    try:
        contents = _read(archive, set(names))
    except (tarfile.TarError, EOFError, OSError, zlib.error, DataError) as error:
        raise _unusable(archive, str(error)) from None
    for name in names:
        if name not in contents:
            raise _unusable(archive, f"no file {name} in it")
    return {name.rpartition("/")[2]: contents[name] for name in names}


def is_web_page(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of a web page."""
    return (
        head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head"))
    )


def _read(archive: Path, names: set[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    limit = min(LIMIT, 2**20 + RATIO * archive.stat().st_size)
    with gzip.open(archive, "rb") as stream:
        limited = _Limited(stream, limit)
        with tarfile.open(fileobj=limited, mode="r|") as tar:
            for number, member in enumerate(tar):
                if number >= MEMBERS:
                    raise DataError("it has more members than any archive of CIFAR")
                name = member.name.removeprefix("./")
                file = tar.extractfile(member) if member.isreg() and name in names else None
                if file is not None:
                    contents[name] = file.read()
        while limited.read(2**20):
            pass
    return contents


def _unusable(archive: Path, reason: str) -> DataError:
    with archive.open("rb") as stream:
        page = is_web_page(stream.read(512))
    return DataError(
        f"{archive} is a web page instead of an archive"
        if page
        else f"{archive} is truncated or damaged",
        found=None if page else reason,
        remedy="delete it and download it again",
    )
