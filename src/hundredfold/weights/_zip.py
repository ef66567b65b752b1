"""Open untrusted zip files with limits."""

import struct
import zipfile
import zlib
from typing import BinaryIO

from hundredfold.weights._header import Refused, shown

_LIST = 1 << 20  # bytes at most of the directory; a member takes about 80

# exceptions of opening a damaged zip, and of reading a member
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError,
          OverflowError, RuntimeError)  # fmt: skip


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip. Raises Refused for a huge directory or duplicate names."""
    try:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end and end[zipfile._ECD_SIZE] > _LIST:  # type: ignore[attr-defined]
            raise Refused("its list of members is too long")
        archive = zipfile.ZipFile(file)
    except DAMAGE as error:
        raise Refused(f"it is no zip ({str(error)[:200]})") from None
    names = [member.filename for member in archive.infolist()]
    if len(names) != len(set(names)):
        raise Refused("two of its members have one name")
    return archive


def member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return a member. Raises Refused unless it is stored or deflated, and not encrypted."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise Refused(f"it lacks the member {shown(name)}") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"the member {shown(name)} is compressed in an unusual way")
    if info.flag_bits & 0x1:
        raise Refused(f"the member {shown(name)} is encrypted")
    return info
