"""SIGTERM ends a command as Ctrl-C does; a command started by another ends with it."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hundredfold import machine
from hundredfold.errors import Terminated

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise Terminated within, so that files are closed and states are saved."""
    before = {n: signal.signal(n, _terminate) for n in machine.heeded_signals("SIGTERM")}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def follow_parent() -> None:
    """Get SIGTERM when the parent that started this command dies, even by kill -9 (Linux)."""
    parent = os.environ.pop(machine.PARENT, "")
    if not parent.isdecimal() or sys.platform != "linux":
        return
    import ctypes  # only studies need it

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before this line
        os.kill(os.getpid(), signal.SIGTERM)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
