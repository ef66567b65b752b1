"""A transport whose writes of one moment leave together.

uvicorn writes the headers of an answer and its body one after the other, and uvloop sends each at
once. Sent together they cost one system call, and wake the client once.
"""

import asyncio
from typing import Any


class JoinedTransport:
    """Pass everything to a transport, and writes to it once the current callback has ended."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size() + sum(map(len, self._pieces))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._pieces:
            data, self._pieces = b"".join(self._pieces), []
            if not self._transport.is_closing():  # the client may be gone
                self._transport.write(data)
