"""How many threads a training should compute with, beside what else takes the cores.

Threads that share operations wait for each other at every one, so one that shares its core holds
up all; those with pieces of their own (`team.py`) do not and need none of this. Linux counts for
each thread how long it was ready to run while another had its core, and for each core how long
it was idle. Where that cannot be read, nobody is noticed.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import torch

from hundredfold import machine

_WINDOW = 5.0  # seconds between looks: long enough not to mind a moment
_CROWDED = 0.25  # of the time that a thread waits for its core: then one thread less is faster
_FREE = 0.8  # of a core that is idle: then there is room for one thread more


class _Look(NamedTuple):
    """What the kernel has counted, in seconds: each thread's waits, and idleness of our cores."""

    at: float
    waits: dict[str, float]
    idle: float


class Neighbours:
    """Looks now and then at who else takes the cores that this process may use.

    proc: where the kernel tells.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._before = self._look()

    def threads(self, used: int, most: int) -> int:
        """Return the threads that would be fastest: `used`, one less, or one more up to `most`.

        It is `used` between looks, which are five seconds apart.
        """
        before = self._before
        if time.monotonic() - before.at < _WINDOW:
            return used
        now = self._before = self._look()
        taken = now.at - before.at
        waits = (wait - before.waits[thread] for thread, wait in now.waits.items()
                 if thread in before.waits)  # fmt: skip
        if used > 1 and max(waits, default=0.0) > _CROWDED * taken:
            return used - 1
        if used < most and now.idle - before.idle > _FREE * taken:
            return used + 1
        return used

    def _look(self) -> _Look:
        waits = {}
        for file in self._proc.glob("self/task/*/schedstat"):
            try:
                _, waited, _ = file.read_text(encoding="ascii").split()
                waits[file.parent.name] = int(waited) / 1e9
            except (OSError, ValueError):  # the thread has ended, or the kernel says nothing
                continue
        return _Look(time.monotonic(), waits, self._idle())

    def _idle(self) -> float:
        """Return the seconds that the cores we may use have been idle, all together."""
        try:
            lines = (self._proc / "stat").read_text(encoding="ascii").splitlines()
            counts = {name: ticks for name, *ticks in map(str.split, lines)}
            ours = (counts[f"cpu{core}"] for core in machine.allowed())
            return sum(int(idle) for _, _, _, idle, *_ in ours) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, KeyError, AttributeError):
            return 0.0


class Crew:
    """The threads that a training computes with; as a context, as many after it as before.

    adapts: use fewer while another process takes a core. The last bits of sums depend on the
    number of threads, so only a training with a budget does that, whose end depends on the
    clock anyway; any other keeps them, so that it ends the same when it is resumed, and says
    once what would be faster.
    say: tells people. resume: the command that goes on with the run.
    """

    def __init__(self, say: Callable[[str], None], resume: str, *, adapts: bool) -> None:
        self._say, self._resume, self._adapts = say, resume, adapts
        self._most = torch.get_num_threads()
        self._neighbours = Neighbours()
        self._told = False

    def look_around(self) -> None:
        """Look who takes cores, where it is time for that, and act on it or say it."""
        used = torch.get_num_threads()
        better = self._neighbours.threads(used, self._most)
        if better == used:
            return
        if self._adapts:
            torch.set_num_threads(better)
            then = f"computing with {better} of {self._most} threads while it does"
        else:
            then = f"{used} threads wait for it; faster: Ctrl-C, {self._resume} --threads {better}"
        if not self._told:
            self._say(f"busy       another process takes a core: {then}")
            self._told = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._most)
