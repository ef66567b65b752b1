"""Handle SIGTERM like Ctrl-C; end a child command when its parent ends."""

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
    """Raise Terminated on SIGTERM in the block, so that files are closed and states saved."""
    before = {n: signal.signal(n, _terminate) for n in machine.handled_signals("SIGTERM")}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def follow_parent() -> None:
    """Request SIGTERM for when the parent of this command dies, even by kill -9 (Linux)."""
    parent = os.environ.pop(machine.PARENT, "")
    if not parent.isdecimal() or sys.platform != "linux":
        return
    import ctypes  # needed only in a study

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # the parent died before this line
        os.kill(os.getpid(), signal.SIGTERM)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
