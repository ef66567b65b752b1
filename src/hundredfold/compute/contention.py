"""Competing processes: how many threads a training should compute with beside them.

Threads that share operations wait for each other at every one, so one thread that shares its core
delays all. Threads with micro-batches of their own (`replicas.py`) do not wait and need none of
this. Linux counts for each thread how long it was ready to run while another had its core, and
for each core how long it was idle. Elsewhere no competing process is noticed.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import torch

from hundredfold import machine

_INTERVAL = 5.0  # seconds between looks: long enough to ignore a short delay
_CROWDED = 0.25  # of the time a thread waits for its core: then one thread less is faster
_FREE = 0.8  # of a core is idle: then there is room for one thread more


class _Counts(NamedTuple):
    """What the kernel has counted, in seconds: each thread's waits, and idle time of our cores."""

    at: float
    waits: dict[str, float]
    idle: float


class Contention:
    """Looks now and then at the CPU time that other processes take from this one.

    proc: where the kernel's counters are.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._before = self._count()

    def threads(self, used: int, most: int) -> int:
        """Return the threads that would be fastest: `used`, one less, or one more up to `most`.

        It is `used` between looks, which are five seconds apart.
        """
        before = self._before
        if time.monotonic() - before.at < _INTERVAL:
            return used
        now = self._before = self._count()
        seconds = now.at - before.at
        waits = (
            wait - before.waits[thread]
            for thread, wait in now.waits.items()
            if thread in before.waits
        )
        if used > 1 and max(waits, default=0.0) > _CROWDED * seconds:
            return used - 1
        if used < most and now.idle - before.idle > _FREE * seconds:
            return used + 1
        return used

    def _count(self) -> _Counts:
        waits = {}
        for file in self._proc.glob("self/task/*/schedstat"):
            try:
                _, waited, _ = file.read_text(encoding="ascii").split()
                waits[file.parent.name] = int(waited) / 1e9
            except (OSError, ValueError):  # the thread has ended, or the kernel counts nothing
                continue
        return _Counts(time.monotonic(), waits, self._idle())

    def _idle(self) -> float:
        """Return the seconds that the cores we may use have been idle, all together."""
        try:
            lines = (self._proc / "stat").read_text(encoding="ascii").splitlines()
            counts = {name: ticks for name, *ticks in map(str.split, lines)}
            ours = (counts[f"cpu{core}"] for core in machine.allowed())
            return sum(int(idle) for _, _, _, idle, *_ in ours) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, KeyError, AttributeError):
            return 0.0


class ThreadLimit:
    """The threads that a training computes with; a context that restores their number.

    adapts: use fewer while another process takes a core. The last bits of sums depend on the
    number of threads, so only a training with a time budget does that: its end depends on the
    clock anyway. Any other keeps its threads, so that a resumed run ends with the same bits, and
    says once what would be faster.
    say: reports a line. remedy: the command that resumes the run.
    """

    def __init__(self, say: Callable[[str], None], remedy: str, *, adapts: bool) -> None:
        self._say, self._remedy, self._adapts = say, remedy, adapts
        self._most = torch.get_num_threads()
        self._contention = Contention()
        self._reported = False

    def look(self) -> None:
        """Look for competing processes, where it is time for that, and act on them."""
        used = torch.get_num_threads()
        better = self._contention.threads(used, self._most)
        if better == used:
            return
        if self._adapts:
            torch.set_num_threads(better)
            then = f"computing with {better} of {self._most} threads while it does"
        else:
            then = f"{used} threads wait for it; faster: Ctrl-C, {self._remedy} --threads {better}"
        if not self._reported:
            self._say(f"contention another process takes a core: {then}")
            self._reported = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._most)
