"""A client of little cost: keep-alive connections that send HTTP/1.1 by hand."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_END = b"\r\n\r\n"


@dataclass
class Result:
    """The answer to one request. seconds: from when it was due to the last byte."""

    number: int
    status: int
    seconds: float
    body: bytes


@dataclass
class Load:
    """Answers so far, and requests whose connection was lost before the answer."""

    results: list[Result] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def rate(self, seconds: float) -> float:
        return len(self.results) / seconds

    def quantile(self, share: float) -> float:
        """Return the time in seconds that a share of the answers did not exceed."""
        times = sorted(result.seconds for result in self.results)
        return times[min(len(times) - 1, int(share * len(times)))] if times else float("nan")


def request(body: bytes, kind: str = "image/jpeg", path: str = "/predict") -> bytes:
    """Return the bytes of a POST."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def label(body: bytes) -> str | None:
    """Return the first label of an answer; None where there is none."""
    try:
        return json.loads(body)["predictions"][0]["label"]
    except (ValueError, KeyError, IndexError):
        return None


class Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, done: Callable[["Connection"], None], load: Load) -> None:
        self._done, self._load = done, load
        self._buffer = bytearray()
        self._number, self._due = -1, 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._done(self)

    def send(self, number: int, data: bytes, due: float | None = None) -> None:
        self._number, self._due = number, time.perf_counter() if due is None else due
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None])
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        seconds = time.perf_counter() - self._due
        self._load.results.append(Result(self._number, int(head[9:12]), seconds, body))
        self._number = -1
        if b"connection: close" not in head:
            self._done(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._number >= 0:
            self._load.lost.append(self._number)
        self.transport = None


async def closed_loop(
    port: int, requests: Sequence[bytes], connections: int, *, seconds: float = 0, count: int = 0
) -> tuple[Load, float]:
    """Keep connections busy for some seconds, or for `count` requests; return the seconds too.

    A connection that the server closes is opened again.
    """
    load, loop, sent = Load(), asyncio.get_running_loop(), 0
    over, busy, began = loop.create_future(), 0, time.perf_counter()

    def more() -> bool:
        return sent < count if count else time.perf_counter() - began < seconds

    def next_one(connection: Connection) -> None:
        nonlocal sent
        if more():
            connection.send(sent, requests[sent % len(requests)])
            sent += 1
        else:
            connection.transport.close()

    class Again(Connection):
        def connection_lost(self, error: Exception | None) -> None:
            nonlocal busy
            super().connection_lost(error)
            busy -= 1
            if more():
                loop.create_task(connect())
            elif not busy and not over.done():
                over.set_result(None)

    async def connect() -> None:
        nonlocal busy
        busy += 1
        await loop.create_connection(lambda: Again(next_one, load), "127.0.0.1", port)

    for _ in range(connections):
        await connect()
    await over
    return load, time.perf_counter() - began


async def open_loop(
    port: int, requests: Sequence[bytes], connections: int, rate: float, seconds: float
) -> Load:
    """Send requests at a rate; one that finds no free connection waits, and its time counts."""
    load, loop = Load(), asyncio.get_running_loop()
    idle: list[Connection] = []
    waiting: list[tuple[int, float]] = []

    def free(connection: Connection) -> None:
        if waiting:
            number, due = waiting.pop(0)
            connection.send(number, requests[number % len(requests)], due)
        else:
            idle.append(connection)

    for _ in range(connections):
        await loop.create_connection(lambda: Connection(free, load), "127.0.0.1", port)
    began, number = time.perf_counter(), 0
    while (now := time.perf_counter()) - began < seconds:
        while began + number / rate <= now:
            waiting.append((number, began + number / rate))
            number += 1
        while waiting and idle:
            first, due = waiting.pop(0)
            idle.pop().send(first, requests[first % len(requests)], due)
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
    while len(load.results) + len(load.lost) < number and time.perf_counter() - began < seconds + 5:
        await asyncio.sleep(0.01)
    for connection in idle:
        connection.transport.close()
    return load
