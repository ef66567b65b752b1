"""How long threads that share operations busy-wait for each other.

A thread of GCC's OpenMP busy-waits GOMP_SPINCOUNT times, then blocks. While a process has more such
threads than cores, it does so a hundredth as long (GOMP_SPINCOUNT in the manual of libgomp). So a
further team of threads, which sleeps, makes all others wait briefly, and its end undoes that.
Results do not depend on it. Where the variables of `machine.WAITING` are set otherwise, nothing
is done here.
"""

import os
import threading

import torch

from hundredfold import machine

_SHARE = 2**15  # numbers for each thread from which an operation is shared

_lock = threading.Lock()
_teams: list[threading.Event] = []  # the end of the team that sleeps, if there is one


def briefly() -> None:
    """Let threads block soon after they begin to wait, for a core that others want too."""
    with _lock:
        count, cores = torch.get_num_threads(), machine.cores()
        if _teams or count == 1 or not _ours():
            return
        begun, end = threading.Event(), threading.Event()
        arguments = (max(2, cores - count + 2), begun, end)
        threading.Thread(target=_sleep, args=arguments, daemon=True).start()
        begun.wait()
        torch.set_num_threads(count)  # the default of new threads
        _teams.append(end)


def patiently() -> None:
    """Let threads busy-wait as long as machine.WAITING says, on idle cores."""
    with _lock:
        while _teams:
            _teams.pop().set()


def _ours() -> bool:
    return machine.WAITING.items() <= os.environ.items()


def _sleep(threads: int, begun: threading.Event, end: threading.Event) -> None:
    """Start a team of so many threads, and keep it until the end."""
    torch.set_num_threads(threads)
    torch.zeros(threads * _SHARE).add_(1)
    begun.set()
    end.wait()
