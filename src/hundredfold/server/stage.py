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

from hundredfold.errors import CheckError, DataError, HundredfoldError, MissingError, UsageError
from hundredfold.server.channel import Blob
from hundredfold.server.children import Child
from hundredfold.server.jobs import Job, Problem, Refusal
from hundredfold.server.member import Member

Event = Callable[..., None]  # a name, and facts of an event for the log

_STARTS = 3  # deaths in a row before the first hello, after which the server gives up
_LONGEST_PAUSE = 5.0  # seconds before a process is started anew
_ERRORS = {kind.exit_code: kind for kind in (UsageError, DataError, MissingError, CheckError)}


class Stage(ABC):
    """Processes of one kind. deadline: seconds between two answers of a busy one."""

    name = "stage"
    attempts = 3  # processes that may die over a job

    def __init__(self, count: int, deadline: float, event: Event) -> None:
        self.deadline, self.waiting = deadline, deque[Job]()
        self.deaths = 0
        self._count, self._event = count, event
        self._members: set[Member] = set()
        self._idle: list[Member] = []
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
        return sum(member.greeted for member in self._members)

    @property
    def pids(self) -> list[int]:
        return sorted(member.child.pid for member in self._members)

    def retire(self) -> None:
        """Start no more processes; each ends with the message that it has."""
        self._retired = True
        self.rescue()
        for member in list(self._members):
            if not member.jobs:
                member.close()

    def end(self) -> None:
        """End all processes, whatever they do."""
        self._retired = True
        for child in [*self._early, *(member.child for member in self._members)]:
            child.kill()
            child.ended(1)

    def greeted(self, member: Member, facts: dict[str, Any]) -> None:
        """Take the first message of a process: it is ready, or says why it will never be."""
        first = self._first
        if "error" in facts:
            self._event("cannot_load", process=self.name, reason=facts["error"])
            if first and not first.done():
                kind = _ERRORS.get(facts["exit_code"], HundredfoldError)
                first.set_exception(kind(facts["error"], remedy=facts["try"]))
                self._retired = True
            member.greeted = False
            return
        if not self.accepts(facts):
            member.close()
            return
        self._failures = 0
        if first and not first.done():
            first.set_result(facts)
        self.free(member)

    def accepts(self, facts: dict[str, Any]) -> bool:
        """Return whether a process that says these facts of itself is one of this stage."""
        return "error" not in facts

    def free(self, member: Member) -> None:
        """Take back a process that has done its jobs."""
        if self._retired:
            member.close()
            return
        self._idle.append(member)
        self.feed()

    def lost(self, member: Member) -> None:
        """Replace a process that has ended, and let others do its jobs."""
        self._members.discard(member)
        if member in self._idle:
            self._idle.remove(member)
        self._save_jobs(member)
        member.child.kill()
        self._background(self._reap(member))
        if self._retired:
            return
        self.deaths += 1
        self._failures += 0 if member.greeted else 1
        if self._first and not self._first.done() and self._failures >= _STARTS:
            self._retired = True
            self._first.set_exception(
                CheckError(f"a process of the server ({self.name}) dies before it is ready")
            )
            return
        self._background(self._start_after(self._pause(member)))

    def _save_jobs(self, member: Member) -> None:
        """Give the jobs of a process that ended to others, unless it is clear that they are why."""
        jobs, member.jobs = list(member.jobs), deque()
        for job in jobs:
            job.attempts += 1
            if member.overdue and len(jobs) == 1:
                job.finish(self.overdue())
            elif job.attempts >= self.attempts:
                job.finish(self.deadly())
        self.waiting.extendleft(reversed([job for job in jobs if not job.is_over]))
        self.rescue()

    def rescue(self) -> None:
        """Find others for the jobs of a process that ended."""
        self.feed()

    def _pause(self, member: Member) -> float:
        lived = time.monotonic() - member.child.began
        if member.greeted and lived > 1:
            return 0.0
        return min(_LONGEST_PAUSE, 0.1 * 2.0 ** min(self._failures, 10))

    async def _start_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self._retired:
            self._attach(self.start_child())

    async def _reap(self, member: Member) -> None:
        code = await asyncio.to_thread(member.child.ended, 10)
        if not self._retired:
            self._event("process_ended", process=self.name, pid=member.child.pid, code=code)

    def _attach(self, child: Child) -> None:
        member = Member(self, child)
        self._members.add(member)
        self._background(self._connect(member))

    async def _connect(self, member: Member) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: member, sock=member.child.socket)

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
