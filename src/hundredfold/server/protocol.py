"""HTTP/1.1 by uvicorn and httptools, with the bounds that they leave out.

The headers of a request come in bounded time and bytes, connections are bounded in number, a
client that does not read its answers is dropped, one that closes its half is still answered.
"""

import asyncio
from collections.abc import Sized
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hundredfold.server.joined import JoinedTransport

_PIPELINED = 100  # requests that wait behind another on a connection
_HEAD = 32 * 2**10  # bytes of the headers of a request
MOST_CONNECTIONS = 4000

_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large",
            503: "Service Unavailable"}  # fmt: skip


class _Flow(FlowControl):  # type: ignore[misc]
    """Read no further while requests wait behind another: uvicorn would read on for each."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):  # type: ignore[misc]
    """A connection. timeout: seconds in which headers come, and answers are read."""

    timeout = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        joined = cast(asyncio.Transport, JoinedTransport(transport, self.loop))
        super().connection_made(joined)
        self.flow = _Flow(joined, self.pipeline)
        self._in_head, self._head = True, 0
        self._late: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, "there are too many connections")
        else:
            self._late = self.loop.call_later(self.timeout, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._late, self._stuck):
            if timer is not None:
                timer.cancel()
        self._late = self._stuck = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if not self._in_head or not self._head or self.transport.is_closing():
            return
        if self._head > _HEAD:
            self._refuse(431, f"the headers have over {_HEAD:,} bytes")
        elif self._late is None:
            self._late = self.loop.call_later(self.timeout, self._head_is_late)

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if len(self.pipeline) >= _PIPELINED:
            self.transport.abort()
            raise ValueError("too many requests at a time")  # ends the parser
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_complete()

    def eof_received(self) -> bool:
        """Keep the connection open for the answer to a request that came whole."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        self._stuck = self.loop.call_later(self.timeout, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "this is no HTTP/1.1 request")

    def _head_is_late(self) -> None:
        self._late = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._late = self.loop.call_later(self.timeout, self._head_is_late)
        elif self._head:
            self._refuse(408, "the headers did not come in time")
        else:
            self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the application, and close."""
        if self.transport.is_closing():
            return
        body = b'{"error": {"message": "%s"}}' % message.encode()
        head = (
            f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def of(timeout: float) -> Any:
    """Return the protocol with a timeout in seconds."""
    return type("Protocol", (BoundedProtocol,), {"timeout": timeout})
