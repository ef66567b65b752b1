"""A process of a stage, as the front sees it."""

import asyncio
import json
from collections import deque
from typing import Any, Protocol, cast

from hundredfold.server.channel import Blob, Messages, packed
from hundredfold.server.children import Child
from hundredfold.server.jobs import Job

_LOADING = 120.0  # seconds within which a process says what it is


class Owner(Protocol):
    """What a process belongs to; see `Stage`."""

    deadline: float

    def message(self, jobs: list[Job]) -> list[Blob]: ...
    def done(self, job: Job, word: str, payload: memoryview) -> None: ...
    def greeted(self, process: "Process", facts: dict[str, Any]) -> None: ...
    def free(self, process: "Process") -> None: ...
    def lost(self, process: "Process") -> None: ...


class Process(asyncio.Protocol):
    """A process, its socket, and the jobs that it has."""

    def __init__(self, stage: Owner, child: Child) -> None:
        self.stage, self.child = stage, child
        self.jobs: deque[Job] = deque()
        self.greeted = self.overdue = False
        self._messages = Messages()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._await_within(_LOADING)

    def data_received(self, data: bytes) -> None:
        for blobs in self._messages.feed(data):
            if self.greeted:
                self._answered(blobs)
            else:
                self.greeted = True
                self._rest()
                self.stage.greeted(self, json.loads(bytes(blobs[0])))

    def connection_lost(self, _error: Exception | None) -> None:
        self._rest()
        self._transport = None
        self.stage.lost(self)

    def give(self, jobs: list[Job]) -> None:
        """Send jobs to the process."""
        assert self._transport is not None
        self.jobs = deque(jobs)
        self._transport.writelines(packed(self.stage.message(jobs)))
        self._await_within(self.stage.deadline)

    def close(self) -> None:
        """Let the process end by itself."""
        if self._transport is not None:
            self._transport.close()

    def _answered(self, blobs: list[memoryview]) -> None:
        self._rest()
        for word, payload in zip(blobs[::2], blobs[1::2], strict=True):
            self.stage.done(self.jobs.popleft(), str(word, "ascii"), payload)
        if self.jobs:
            self._await_within(self.stage.deadline)
        else:
            self.stage.free(self)

    def _await_within(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self.overdue = True
        self.child.kill()
