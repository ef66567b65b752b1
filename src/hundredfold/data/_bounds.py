"""Bounds on what a file may cost, from its bytes, before Pillow reads it.

Pillow bounds no work: an image of few pixels may have thousands of scans, chunks or tags, and one
tag may stand for the whole file. What is checked costs microseconds beside the decoding: small
files need no look, since little of anything fits into them.
"""

import ctypes
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition

from hundredfold.errors import DataError

_SMALL = 16 * 2**10  # bytes of a file in which only scans are counted
_SCANS = 200  # of a JPEG; encoders write 1 to 12
_SCANNED = 4_000_000_000  # pixels of all scans together
_PIECES = 20_000  # markers, chunks or blocks of a file; each costs microseconds
_HEADERS = 64  # places in a file that look like the header of tags
_VALUES = 200_000  # numbers in the tags of a TIFF, such as the places of its strips
_RUNS = 4 * 2**20  # bytes of a BMP in runs, which Pillow decodes in Python
_FLIGHT = 800 * 2**20  # bytes of large images that are decoded at a time, by all threads
LARGE = 32 * 2**20  # bytes from which an image waits for room

_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # + is BigTIFF
_NUMBERS = (3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 16, 17, 18)  # types that become Python's numbers
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


def need_little(data: bytes) -> None:
    """Raise DataError for a file that would cost far more than its size lets expect."""
    if data.startswith(b"\xff\xd8"):
        head, scans = _scans(data)
        if scans > _SCANS:
            raise DataError(f"it has about {scans:,} scans, over {_SCANS}")
        if head > _SMALL:
            need_few_tags(data[:head])
    elif len(data) <= _SMALL:
        return
    elif data.startswith((b"\x89PNG", b"GIF8")):
        for number, _ in enumerate(_chunks(data) if data[0] == 0x89 else _blocks(data)):
            if number >= _PIECES:
                raise DataError(f"it has over {_PIECES:,} pieces beside its pixels")
    elif data.startswith(b"BM"):
        if len(data) > _RUNS and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
            raise DataError(f"it is a BMP of runs of over {_RUNS >> 20} MB")
    elif data.startswith(_TIFFS):
        _need_sound_tags(data, 0)
    elif not data.startswith(b"RIFF"):  # AVIF and HEIC, which are read with their tags
        need_few_tags(data)


def need_few_scans(data: bytes, pixels: int) -> None:
    """Raise DataError for a JPEG whose scans together have too many pixels."""
    large = pixels * _SCANS > _SCANNED and data.startswith(b"\xff\xd8")
    if large and _scans(data)[1] * pixels > _SCANNED:
        raise DataError(f"its scans have over {_SCANNED // 10**6:,} million pixels together")


def need_few_tags(data: bytes) -> None:
    """Raise DataError for tags, of a TIFF or of EXIF, that stand for more than the data hold."""
    seen = 0
    for magic in _TIFFS:
        at = data.find(magic)
        while at >= 0:
            seen += 1
            if seen > _HEADERS:
                raise DataError("it holds too many headers of tags")
            _need_sound_tags(data, at)
            at = data.find(magic, at + 4)


@contextmanager
def room(size: int) -> Iterator[None]:
    """Wait until an image of a size in bytes has room among those that are decoded.

    Those below LARGE need not ask; one image alone always has room.
    """
    with _changed:
        _changed.wait_for(lambda: not _flying or sum(_flying) + size <= _FLIGHT)
        _flying.append(size)
    try:
        yield
    finally:
        _trim()
        with _changed:
            _flying.remove(size)
            _changed.notify_all()


def _trim() -> None:
    """Give freed memory back to the system: glibc keeps that of each thread for it alone."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


_changed = Condition()
_flying: list[int] = []  # bytes


def _need_sound_tags(data: bytes, start: int) -> None:
    """Check the first list of tags behind a header: the sizes of values, and their number."""
    order = "<" if data[start : start + 2] == b"II" else ">"
    large = data[start + 2 : start + 4] in (b"+\0", b"\0+")
    first, count, entry = ("Q", "Q", "HHQ8x") if large else ("I", "H", "HHI4x")
    try:
        (offset,) = struct.unpack_from(order + first, data, start + (8 if large else 4))
        (tags,) = struct.unpack_from(order + count, data, start + offset)
    except (struct.error, OverflowError):
        return
    at = start + offset + struct.calcsize(count)
    step = struct.calcsize(order + entry)
    tags = min(tags, max(0, len(data) - at) // step)
    total, numbers = 0, 0
    for number, (_, kind, values) in enumerate(
        struct.iter_unpack(order + entry, data[at : at + tags * step])
    ):
        total += min(values * _SIZES.get(kind, 1), len(data))
        numbers += values if kind in _NUMBERS else 0
        if total > 2 * len(data) + _SMALL or number > _PIECES:
            raise DataError("its tags stand for more bytes than it has")
    if start == 0 and numbers > _VALUES:
        raise DataError(f"its tags have {numbers:,} numbers, over {_VALUES:,}")


def _scans(data: bytes) -> tuple[int, int]:
    """Return the bytes before the first scan of a JPEG, and about how many scans are decoded.

    Raises DataError for too many markers. One scan of all colours is the only one that is decoded.
    """
    at, colours, markers = 2, 0, 0
    while at + 10 <= len(data) and data[at] == 0xFF and (marker := data[at + 1]) != 0xDA:
        if 0xC0 <= marker <= 0xC1:
            colours = data[at + 9]
        filled = marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD9
        at += 1 if filled else 2 + (data[at + 2] << 8 | data[at + 3])
        markers += 1
        if markers > _PIECES:
            raise DataError(f"it has over {_PIECES:,} pieces before its pixels")
    whole = (
        colours and data[at : at + 2] == b"\xff\xda" and data[at + 4 : at + 5] == bytes((colours,))
    )
    return at, 1 if whole else data.count(b"\xff\xda", at)


def _chunks(data: bytes) -> Iterator[int]:
    """Yield the places of the chunks of a PNG."""
    at = 8 if data.startswith(b"\x89PNG") else len(data)
    while at + 8 <= len(data):
        yield at
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _blocks(data: bytes) -> Iterator[int]:
    """Yield the places of the blocks of a GIF, up to its first frame."""
    at, end = len(data), len(data)
    if data.startswith(b"GIF8"):
        at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 128 else 0)
    while at < end and data[at] not in b",;":
        yield at
        if data[at : at + 1] != b"!":
            at += 1
            continue
        at += 2
        while at < end and data[at]:
            yield at
            at += 1 + data[at]
        at += 1
