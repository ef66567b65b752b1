"""Carry out jobs as child processes of this one, a few concurrently, without orphans."""

import signal
import time
from collections.abc import Iterator, Mapping
from types import FrameType

from hundredfold import machine
from hundredfold.executors import child
from hundredfold.executors.child import Child
from hundredfold.executors.protocol import (
    SIGNALS,
    Job,
    JobProgress,
    Key,
    More,
    Outcome,
    Watch,
    nothing_more,
    saved_by,
)
from hundredfold.run import Run

_POLL = 0.1  # seconds


class Local:
    """Carry out jobs on this machine.

    jobs: how many run concurrently.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = max(1, jobs)
        self._caught = 0

    def outcomes(
        self, jobs: Mapping[Key, Job], watch: Watch[Key], more: More[Key] = nothing_more
    ) -> Iterator[tuple[Key, Outcome]]:
        """Yield (key, outcome) of each job as it ends; see `Executor`.

        watch: called every 0.1 s.
        """
        waiting, started = dict(jobs), dict[Key, Job]()
        running, self._caught = dict[Key, Child](), 0

        def forward(number: int, _frame: FrameType | None) -> None:
            self._caught = number
            for each in running.values():
                each.tell(number if number == signal.SIGINT else signal.SIGTERM)

        with machine.signals_to(forward, *SIGNALS):
            try:
                while not self._caught:
                    for key, job in self._next(waiting, running, more):
                        started[key] = job
                        running[key] = child.start(job.arguments(), job.variables())
                    if not running:
                        break
                    time.sleep(_POLL)
                    for key in watch({k: _progress(started[k]) for k in running}):
                        running[key].tell(signal.SIGTERM)
                    for key in [k for k, c in running.items() if c.process.poll() is not None]:
                        yield key, running.pop(key).outcome()
            finally:
                self._end(running)
        if self._caught:
            raise saved_by(self._caught)

    def _next(
        self, waiting: dict[Key, Job], running: Mapping[Key, Child], more: More[Key]
    ) -> Iterator[tuple[Key, Job]]:
        """Yield the jobs for which there is room; the caller starts each before the next."""
        while len(running) < self._jobs and not self._caught:
            if not waiting:
                waiting.update(more())
            if not waiting:
                return
            key = next(iter(waiting))
            yield key, waiting.pop(key)

    def _end(self, running: dict[Key, Child]) -> None:
        """Wait for the running children, and kill those that do not stop."""
        if not self._caught:
            for each in running.values():
                each.tell(signal.SIGTERM)
        limit = time.monotonic() + child.PATIENCE
        for each in running.values():
            each.end(limit - time.monotonic())
        running.clear()


def _progress(job: Job) -> JobProgress:
    return JobProgress(curve=tuple(Run(job.folder).curve))
