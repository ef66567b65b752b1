"""The members of a .zip, from its directory at the end of the file."""

import zipfile
from pathlib import Path

from hundredfold.data._archives import Archive, Parts, Stored, need_bounded, safe_parts
from hundredfold.errors import DataError

_ENCRYPTED = 1  # bit of ZipInfo.flag_bits


def archive(path: Path, _cache: Path) -> Archive:
    """Open a .zip. Raises DataError for one that is encrypted, or would expand too much."""
    contents = zipfile.ZipFile(path)
    entries = contents.infolist()
    files = [(number, entry) for number, entry in enumerate(entries) if not entry.is_dir()]
    need_bounded(path, len(files), sum(entry.file_size for _, entry in files))
    if any(entry.flag_bits & _ENCRYPTED for _, entry in files):
        raise DataError(f"{path} is encrypted", remedy="make one without a password")
    stored: dict[Parts, Stored] = {
        safe_parts(path, entry.filename.replace("\\", "/")): Stored(
            number, entry.file_size, (entry.file_size, entry.CRC)
        )
        for number, entry in files
    }

    def read(member: Stored, most: int) -> bytes:
        with contents.open(entries[member.key]) as stream:  # several threads may read at a time
            return stream.read(most)

    return Archive(path, stored, read)
