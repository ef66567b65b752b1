"""Bodies of requests, in bounded memory and bounded time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hundredfold.server.bodies import RETRY, BadRequest

Receive = Callable[[], Awaitable[dict[str, Any]]]

_MEMORY = 512 * 2**20  # bytes of all bodies that are read or predicted at a time
_GRACE = 3.0  # seconds that an unfinished body has once the server ends
_DRAIN = 2.0  # seconds in which the rest of a refused body is read
_DRAINED = 64 * 2**20  # bytes of it, at most


class Intake:
    """Read bodies of at most `most` bytes, each within `timeout` seconds."""

    def __init__(self, most: int, timeout: float) -> None:
        self.most, self.timeout = most, timeout
        self.memory = max(_MEMORY, 2 * most)
        self.held = 0  # bytes of all bodies
        self._reading: set[asyncio.Timeout] = set()
        self._ending = False

    def body(self, headers: dict[bytes, bytes], receive: Receive) -> "Body":
        return Body(self, headers, receive)

    def end(self) -> None:
        """Give bodies that are not there yet a last moment."""
        self._ending = True
        latest = asyncio.get_running_loop().time() + _GRACE
        for timeout in self._reading:
            when = timeout.when()
            timeout.reschedule(latest if when is None else min(latest, when))

    async def within_time(self, reading: Awaitable[bytes]) -> bytes:
        """Await a body. Raises BadRequest where the client is too slow."""
        try:
            async with asyncio.timeout(_GRACE if self._ending else self.timeout) as timeout:
                self._reading.add(timeout)
                try:
                    return await reading
                finally:
                    self._reading.discard(timeout)
        except TimeoutError:
            raise BadRequest(408, "the body did not come in time") from None


class Body:
    """The body of one request. It counts as held until `release`."""

    def __init__(self, intake: Intake, headers: dict[bytes, bytes], receive: Receive) -> None:
        self._intake, self._receive = intake, receive
        self._held = 0
        length = headers.get(b"content-length", b"0")
        self._announced = int(length) if length.isdigit() and len(length) < 19 else 2**63
        self.is_unread = self._announced > 0 or b"transfer-encoding" in headers

    async def read(self) -> bytes:
        """Return the whole body.

        Raises BadRequest where it is too large or too slow, where the server holds too many bytes,
        and with status 499 where the client is gone.
        """
        if self._announced > self._intake.most:
            raise self._too_large()
        return await self._intake.within_time(self._pieces()) if self.is_unread else b""

    async def drain(self) -> None:
        """Read on for a moment, so that the client gets the answer before the connection closes."""
        try:
            async with asyncio.timeout(_DRAIN):
                left = _DRAINED
                while left > 0 and (message := await self._receive()).get("more_body"):
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return

    def release(self) -> None:
        """Give back the memory of the body."""
        self._intake.held -= self._held
        self._held = 0

    async def _pieces(self) -> bytes:
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_unread = False
                raise BadRequest(499, "the client is gone")
            piece: bytes = message.get("body", b"")
            self._hold(len(piece))
            if not message.get("more_body"):
                self.is_unread = False
                return bytes(body + piece) if body else piece
            body += piece

    def _hold(self, count: int) -> None:
        self._held += count
        self._intake.held += count
        if self._held > self._intake.most:
            raise self._too_large()
        if self._intake.held > self._intake.memory:
            raise BadRequest(503, "the server holds too many bytes", "send it again", headers=RETRY)

    def _too_large(self) -> BadRequest:
        return BadRequest(413, f"the body has over {self._intake.most:,} bytes", "send less")
