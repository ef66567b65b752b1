"""A queue of jobs and the processes that carry them out.

A process has one message of jobs at a time. One that dies, or takes too long, is replaced, and its
jobs go to another.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

from hundredfold.errors import CheckError, kind_of
from hundredfold.server.channel import Blob
from hundredfold.server.children import Child
from hundredfold.server.jobs import Job, Problem, Refusal
from hundredfold.server.process import Process

Event = Callable[..., None]  # a name, and facts of an event for the log

_STARTS = 3  # deaths in a row before the first hello, after which the server gives up
_LONGEST_PAUSE = 5.0  # seconds before a process is started anew


class Stage(ABC):
    """Processes of one kind. deadline: seconds between two answers of a busy one."""

    name = "stage"
    attempts = 3  # processes that may die over a job

    def __init__(self, count: int, deadline: float, event: Event) -> None:
        self.deadline, self.waiting = deadline, deque[Job]()
        self.deaths = 0
        self._count, self._event = count, event
        self._processes: set[Process] = set()
        self._idle: list[Process] = []
        self._failures, self._retired, self._will_feed = 0, False, False
        self._first: asyncio.Future[dict[str, Any]] | None = None
        self._early: list[Child] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @abstractmethod
    def start_child(self) -> Child:
        """Start a process of this kind."""

    @abstractmethod
    def take(self) -> list[Job]:
        """Take the jobs of one message from those that wait; none to wait for more."""

    @abstractmethod
    def message(self, jobs: list[Job]) -> list[Blob]:
        """Return the byte strings that tell a process what to do."""

    @abstractmethod
    def done(self, job: Job, word: str, payload: memoryview) -> None:
        """Take the answer of a process to a job."""

    @abstractmethod
    def overdue(self) -> Refusal:
        """Return what is answered to a job that took a process too long."""

    @abstractmethod
    def deadly(self) -> Refusal:
        """Return what is answered to a job over which several processes died."""

    def start_early(self) -> None:
        """Start the first process before there is an event loop."""
        self._early.append(self.start_child())

    async def start(self) -> dict[str, Any]:
        """Start the processes; return what the first of them says once it is ready.

        Raises HundredfoldError where it cannot do its work.
        """
        self._first = asyncio.get_running_loop().create_future()
        self._attach(self._early.pop() if self._early else self.start_child())
        facts = await self._first
        for _ in range(self._count - 1):
            self._attach(self.start_child())
        return facts

    def put(self, job: Job) -> None:
        """Let a job wait; those of one moment go together."""
        self.waiting.append(job)
        if not self._will_feed:
            self._will_feed = True
            asyncio.get_running_loop().call_soon(self.feed)

    def feed(self) -> None:
        """Give waiting jobs to idle processes."""
        self._will_feed = False
        while self._idle and self.waiting:
            if self.waiting[0].is_over:
                self.waiting.popleft()
            elif jobs := [job for job in self.take() if not job.is_over]:
                self._idle.pop().give(jobs)
            else:
                return

    def give_up(self, latest: float) -> None:
        """Refuse what waits since before a moment of `time.monotonic`."""
        while self.waiting and self.waiting[0].since < latest:
            job = self.waiting.popleft()
            job.finish(Refusal(Problem.NOT_NOW, "no process had time for the image"))

    @property
    def alive(self) -> int:
        """The number of processes that are ready or busy."""
        return sum(process.greeted for process in self._processes)

    @property
    def pids(self) -> list[int]:
        return sorted(process.child.pid for process in self._processes)

    def retire(self) -> None:
        """Start no more processes; each ends with the message that it has."""
        self._retired = True
        self.rescue()
        for process in list(self._processes):
            if not process.jobs:
                process.close()

    def end(self) -> None:
        """End all processes, whatever they do."""
        self._retired = True
        for child in [*self._early, *(process.child for process in self._processes)]:
            child.kill()
            child.ended(1)

    def greeted(self, process: Process, facts: dict[str, Any]) -> None:
        """Take the first message of a process: it is ready, or says why it will never be."""
        first = self._first
        if "error" in facts:
            self._event("cannot_load", process=self.name, reason=facts["error"])
            if first and not first.done():
                kind = kind_of(facts["exit_code"])
                first.set_exception(kind(facts["error"], remedy=facts["try"]))
                self._retired = True
            process.greeted = False
            return
        if not self.accepts(facts):
            process.close()
            return
        self._failures = 0
        if first and not first.done():
            first.set_result(facts)
        self.free(process)

    def accepts(self, facts: dict[str, Any]) -> bool:
        """Return whether a process that says these facts of itself is one of this stage."""
        return "error" not in facts

    def free(self, process: Process) -> None:
        """Take back a process that has done its jobs."""
        if self._retired:
            process.close()
            return
        self._idle.append(process)
        self.feed()

    def lost(self, process: Process) -> None:
        """Replace a process that has ended, and let others do its jobs."""
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        self._save_jobs(process)
        process.child.kill()
        self._background(self._reap(process))
        if self._retired:
            return
        self.deaths += 1
        self._failures += 0 if process.greeted else 1
        if self._first and not self._first.done() and self._failures >= _STARTS:
            self._retired = True
            self._first.set_exception(
                CheckError(f"a process of the server ({self.name}) dies before it is ready")
            )
            return
        self._background(self._start_after(self._pause(process)))

    def _save_jobs(self, process: Process) -> None:
        """Give the jobs of a process that ended to others, unless it is clear that they are why."""
        jobs, process.jobs = list(process.jobs), deque()
        for job in jobs:
            job.attempts += 1
            if process.overdue and len(jobs) == 1:
                job.finish(self.overdue())
            elif job.attempts >= self.attempts:
                job.finish(self.deadly())
        self.waiting.extendleft(reversed([job for job in jobs if not job.is_over]))
        self.rescue()

    def rescue(self) -> None:
        """Find others for the jobs of a process that ended."""
        self.feed()

    def _pause(self, process: Process) -> float:
        lived = time.monotonic() - process.child.began
        if process.greeted and lived > 1:
            return 0.0
        return min(_LONGEST_PAUSE, 0.1 * 2.0 ** min(self._failures, 10))

    async def _start_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self._retired:
            self._attach(self.start_child())

    async def _reap(self, process: Process) -> None:
        code = await asyncio.to_thread(process.child.ended, 10)
        if not self._retired:
            self._event("process_ended", process=self.name, pid=process.child.pid, code=code)

    def _attach(self, child: Child) -> None:
        process = Process(self, child)
        self._processes.add(process)
        self._background(self._connect(process))

    async def _connect(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: process, sock=process.child.socket)

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
