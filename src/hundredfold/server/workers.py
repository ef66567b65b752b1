"""The stage that infers, in batches of what waits when a worker becomes free."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hundredfold.server.channel import Blob
from hundredfold.server.children import Child
from hundredfold.server.jobs import Job, Problem, Refusal
from hundredfold.server.metrics import Metrics
from hundredfold.server.stage import Event, Stage

_DEADLINE = 60.0  # seconds that one batch may take


class Workers(Stage):
    """Infer with one file.

    path: the file. threads: of each worker. most: images of a batch. wait: seconds that an idle
    worker waits for a batch to fill. successor: takes the jobs that are left when these workers are
    replaced.
    """

    name = "worker"

    def __init__(
        self,
        path: Path,
        count: int,
        threads: int,
        *,
        most: int,
        wait: float,
        event: Event,
        metrics: Metrics,
        successor: Callable[[Job], None],
    ) -> None:
        super().__init__(count, _DEADLINE, event)
        self.path = path
        self.stamp: list[int] = []
        self._threads, self._most, self._wait = threads, most, wait
        self._metrics, self._successor = metrics, successor
        self._due = False
        self._timer: asyncio.TimerHandle | None = None

    def start_child(self) -> Child:
        return Child("hundredfold.server.worker", str(self.path), str(self._threads))

    def accepts(self, facts: dict[str, Any]) -> bool:
        """Refuse a worker that has opened another file than the first one did."""
        self.stamp = self.stamp or facts["stamp"]
        return bool(self.stamp == facts["stamp"])

    def take(self) -> list[Job]:
        """Take a batch, once it is full or has waited."""
        if self._wait and not self._due and len(self.waiting) < self._most:
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self._wait, self._waited)
            return []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        jobs = [self.waiting.popleft() for _ in range(min(self._most, len(self.waiting)))]
        self._metrics.batch(len(jobs))
        return jobs

    def _waited(self) -> None:
        self._timer, self._due = None, True
        self.feed()
        self._due = False

    def rescue(self) -> None:
        """Hand jobs to the workers of another file, where that has replaced this one."""
        while self._retired and self.waiting:
            self._successor(self.waiting.popleft())
        self.feed()

    def message(self, jobs: list[Job]) -> list[Blob]:
        tops = struct.pack(f">{len(jobs)}H", *(job.top for job in jobs))
        return [tops, *(job.pixels for job in jobs)]

    def done(self, job: Job, word: str, payload: memoryview) -> None:
        text = bytes(payload)
        job.finish(text if word == "json" else Refusal(Problem.FAILED, text.decode()))

    def overdue(self) -> Refusal:
        return Refusal(Problem.NOT_NOW, f"the prediction took over {self.deadline:g} s")

    def deadly(self) -> Refusal:
        return Refusal(Problem.NOT_NOW, f"{self.attempts} workers ended on this batch")
