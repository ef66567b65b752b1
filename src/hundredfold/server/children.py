"""Processes of the front: how they begin, and what their signals mean."""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress

from hundredfold import machine

# Threads of libraries that a process here has no work for.
_SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def stand_back() -> None:
    """Leave signals to the front, whose end is seen by the closed socket, and do not preempt it.

    A process that computes in batches loses nothing by that, and clients are read sooner.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class Child:
    """A process and the front's end of the socket to it."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.began = time.monotonic()
        self.socket, theirs = socket.socketpair()
        self.socket.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [*machine.python(), "-m", module, str(theirs.fileno()), *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | _SINGLE,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):
            self._process.kill()

    def ended(self, seconds: float = 0) -> int | None:
        """Return its exit code, negative for a signal; None if it still runs after `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
