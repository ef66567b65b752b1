"""A zip whose list of members is small and whose members are what they say."""

import zipfile
from typing import BinaryIO

from hundredfold.weights._contents import Refused

_LIST = 1 << 20  # bytes; a member takes about 80


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip, unless its list of members alone would fill the memory."""
    try:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end and end[zipfile._ECD_SIZE] > _LIST:  # type: ignore[attr-defined]
            raise Refused("its list of members is too long")
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Refused(f"it is no zip ({error})") from None
    names = [member.filename for member in archive.infolist()]
    if len(names) != len(set(names)):
        raise Refused("two of its members have one name")
    return archive


def member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return a member that is stored plainly or deflated, and not encrypted."""
    try:
        found = archive.getinfo(name)
    except KeyError:
        raise Refused(f"it lacks the member {name[:80]!r}") from None
    if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"the member {name[:80]!r} is compressed in an unusual way")
    if found.flag_bits & 0x1:
        raise Refused(f"the member {name[:80]!r} is encrypted")
    return found


# what reading a member of a damaged zip raises
DAMAGE = (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError)
