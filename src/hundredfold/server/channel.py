"""Messages between the front and its processes: lists of byte strings over a socket.

A message is 4 bytes of total length, 4 bytes of count, 4 bytes of length for each string, and
the strings; numbers are unsigned and big-endian.
"""

import socket
import struct
from collections.abc import Iterator, Sequence

Blob = bytes | bytearray | memoryview

_LENGTH = struct.Struct(">I")
MOST_BYTES = 2**30  # of one message
_PIECE = 2**17  # bytes that are read at a time


def packed(blobs: Sequence[Blob]) -> list[Blob]:
    """Return the pieces of a message, to be written in this order."""
    lengths = [len(blob) for blob in blobs]
    total = 4 + 4 * len(blobs) + sum(lengths)
    return [struct.pack(f">{2 + len(blobs)}I", total, len(blobs), *lengths), *blobs]


def unpacked(body: Blob) -> list[memoryview]:
    """Return the byte strings of a message, without its total length. Copies nothing."""
    view = memoryview(body)
    (count,) = _LENGTH.unpack_from(view)
    at, blobs = 4 + 4 * count, []
    for length in struct.unpack_from(f">{count}I", view, 4):
        blobs.append(view[at : at + length])
        at += length
    return blobs


class Messages:
    """Cut a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[memoryview]]:
        """Yield the messages that are complete with these bytes.

        Raises ValueError for a message of over MOST_BYTES.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            (total,) = _LENGTH.unpack_from(self._buffer)
            if total > MOST_BYTES:
                raise ValueError(f"a message of {total:,} bytes")
            if len(self._buffer) < 4 + total:
                return
            body = bytes(memoryview(self._buffer)[4 : 4 + total])
            del self._buffer[: 4 + total]
            yield unpacked(body)


class Pipe:
    """The end of a process that works: it waits for a message, and answers."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)

    def receive(self) -> list[memoryview] | None:
        """Return the next message; None when the front is gone."""
        data = self._socket.recv(_PIECE)
        while 0 < len(data) < 4:
            data += self._socket.recv(4 - len(data)) or b"...."
        if not data:
            return None
        (total,) = _LENGTH.unpack_from(data)
        if len(data) == 4 + total:
            return unpacked(memoryview(data)[4:])
        body = bytearray(total)
        body[: len(data) - 4] = data[4:]
        view, at = memoryview(body), len(data) - 4
        while at < total:
            read = self._socket.recv_into(view[at:])
            if not read:
                return None
            at += read
        return unpacked(body)

    def send(self, blobs: Sequence[Blob]) -> None:
        """Send a message. Raises OSError when the front is gone."""
        self._socket.sendall(b"".join(packed(blobs)))
