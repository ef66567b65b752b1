"""Download a file: resume an interrupted download, verify the checksum, then rename."""

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from hundredfold import files, locks
from hundredfold.cache import writing
from hundredfold.data._archive import is_web_page
from hundredfold.errors import DataError
from hundredfold.progress_bar import progress

_CHUNK = 2**18
_TIMEOUT = 30.0  # seconds without data
_REMEDY = "start again, or download it elsewhere and name its folder with --data-dir"


def download(url: str, target: Path, sha256: str) -> None:
    """Download `url` to `target`, continuing an earlier attempt in `target`.part.

    sha256: the checksum in hex, or its first digits.

    Raises DataError where the network or the server fails, a web page arrives instead of the
    file, the transfer stops early, or the checksum differs.
    """
    part = target.with_name(target.name + ".part")
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with locks.alone(target):
            if target.exists():  # another process downloaded it while this one waited
                return
            with part.open("a+b") as stream:
                _fetch(url, stream)
                _check(url, stream, sha256)
                stream.flush()
                files.sync(stream.fileno())
            files.move(part, target)
            files.sync_folder(target.parent)


def _fetch(url: str, stream: IO[bytes]) -> None:
    have = stream.seek(0, 2)
    headers = {"User-Agent": "hundredfold"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            _receive(url, response, stream, have)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # the part is complete, or belongs to another file
            return
        raise _failed(url, f"the server answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _failed(url, str(getattr(error, "reason", error)) or type(error).__name__) from None


def _receive(url: str, response: Any, stream: IO[bytes], have: int) -> None:
    start = have if response.status == 206 else 0
    with writing(Path(stream.name).parent):
        stream.truncate(start)
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with progress(f"downloading {url.rpartition('/')[2]}", total, start=start) as advance:
        while data := response.read(_CHUNK):
            if start == 0 and is_web_page(data):
                stream.truncate(0)
                raise DataError(f"{url} gives a web page instead of the archive", remedy=_REMEDY)
            with writing(Path(stream.name).parent):
                stream.write(data)
            start += len(data)
            advance(len(data))
    if total is not None and start < total:
        raise DataError(
            f"the download of {url} stopped early",
            found=f"{start:,} of {total:,} bytes",
            remedy="start again: the download resumes where it stopped",
        )


def _check(url: str, stream: IO[bytes], sha256: str) -> None:
    stream.seek(0)
    checksum = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    if not checksum.startswith(sha256):
        stream.truncate(0)
        raise DataError(
            f"the checksum of {url} is wrong, so the downloaded file was deleted",
            found=f"sha256 {checksum}, not {sha256}",
            remedy=_REMEDY,
        )


def _failed(url: str, reason: str) -> DataError:
    return DataError(f"cannot download {url}: {reason}", remedy=_REMEDY)
