"""Choose the number of threads of a training beside competing processes.

Threads that share operations wait for each other after each, so one thread that shares its core
delays all. Threads with micro-batches of their own (`replicas.py`) do not wait and are not limited
here. Linux counts how long each thread was ready to run without a core, and how long each core was
idle. On other systems no competing process is detected.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import torch

from hundredfold import machine
from hundredfold.compute import waiting

_INTERVAL = 5.0  # seconds between checks: long enough to ignore a short delay
_SOON = 1.0  # seconds between checks of how long threads may busy-wait, which changes no bit
_SHARED = 0.05  # of the time a thread waits for its core: then busy-waiting harms
_CROWDED = 0.25  # of the time a thread waits for its core: then one thread less is faster
_FREE = 0.8  # of a core is idle: then there is room for one thread more


class _Counts(NamedTuple):
    """Counters of the kernel in seconds.

    at: time of reading. waits: by thread, ready without a core. idle: sum over allowed cores.
    """

    at: float
    waits: dict[str, float]
    idle: float


class Taken(NamedTuple):
    """What others took within an interval.

    wait: its share that the most delayed thread waited for a core. idle: cores, on average.
    """

    wait: float
    idle: float


class Contention:
    """Measure the CPU time that other processes take from this one.

    proc: folder of the kernel's counters. interval: seconds between two comparisons.
    """

    def __init__(self, proc: Path = Path("/proc"), interval: float = _INTERVAL) -> None:
        self._proc, self._interval = proc, interval
        self._before = self._count()

    def threads(self, used: int, most: int) -> int:
        """Return the fastest number of threads: `used`, one less, or one more up to `most`.

        Counters are compared every five seconds; between these, it is `used`.
        """
        taken = self.taken()
        if taken is None:
            return used
        if used > 1 and taken.wait > _CROWDED:
            return used - 1
        return used + 1 if used < most and taken.idle > _FREE else used

    def taken(self) -> "Taken | None":
        """Return what other processes took since the last time; None within the interval."""
        before = self._before
        if time.monotonic() - before.at < self._interval:
            return None
        now = self._before = self._count()
        seconds = now.at - before.at
        waits = (
            wait - before.waits[thread]
            for thread, wait in now.waits.items()
            if thread in before.waits
        )
        return Taken(max(waits, default=0.0) / seconds, (now.idle - before.idle) / seconds)

    def _count(self) -> _Counts:
        waits = {}
        for file in self._proc.glob("self/task/*/schedstat"):
            try:
                _, waited, _ = file.read_text(encoding="ascii").split()
                waits[file.parent.name] = int(waited) / 1e9
            except (OSError, ValueError):  # the thread has ended, or the kernel does not count
                continue
        return _Counts(time.monotonic(), waits, self._idle())

    def _idle(self) -> float:
        """Return the idle seconds of the cores that this process may use, summed."""
        try:
            lines = (self._proc / "stat").read_text(encoding="ascii").splitlines()
            counts = {name: ticks for name, *ticks in map(str.split, lines)}
            ours = (counts[f"cpu{core}"] for core in machine.allowed())
            return sum(int(idle) for _, _, _, idle, *_ in ours) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, KeyError, AttributeError):
            return 0.0


class ThreadLimit:
    """A context that limits torch's threads beside competing processes, and restores them.

    adapts: use fewer threads while another process takes a core. Rounding of sums depends on the
    number of threads, so only a training with a time budget does that: its number of steps depends
    on the clock anyway. Any other keeps its threads, so that a resumed run ends with the same
    bits, and logs once what would be faster.
    say: logs a line. remedy: the command that resumes the run.
    """

    def __init__(self, say: Callable[[str], None], remedy: str, *, adapts: bool) -> None:
        self._say, self._remedy, self._adapts = say, remedy, adapts
        self._most = torch.get_num_threads()
        self._contention, self._sharing = Contention(), Contention(interval=_SOON)
        self._reported = False

    def look(self) -> None:
        """Check for competing processes every five seconds, and change the threads or log.

        Every second, choose how long threads busy-wait for each other.
        """
        sharing = self._sharing.taken()
        if sharing and sharing.wait > _SHARED:
            waiting.briefly()
        elif sharing:
            waiting.patiently()
        used = torch.get_num_threads()
        fastest = self._contention.threads(used, self._most)
        if fastest == used:
            return
        if self._adapts:
            torch.set_num_threads(fastest)
            action = f"computing with {fastest} of {self._most} threads while it does"
        else:
            action = (
                f"{used} threads wait for it; faster: Ctrl-C, {self._remedy} --threads {fastest}"
            )
        if not self._reported:
            self._say(f"contention another process takes a core: {action}")
            self._reported = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._most)
        waiting.briefly()
