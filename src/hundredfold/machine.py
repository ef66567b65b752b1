"""What the operating system says of the machine."""

import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 bf16",
    "amx_bf16": "AMX bf16",
    "bf16": "Arm bf16",
    "sve": "SVE",
    "asimd": "NEON",
}

PARENT = "HUNDREDFOLD_PARENT"  # the process that a command was started by, and ends with

_TASKS = Path("/proc/self/task")  # a folder for each thread of this process, on Linux

# How threads wait for each other: a moment awake, then asleep (docs/decisions/0009). OpenMP reads
# these when torch is loaded; the second is that of the OpenMP in PyTorch's wheels for Linux.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}


def wait_briefly() -> None:
    """Let threads wait as WAITING says, unless the user has said how or torch is loaded already."""
    if "torch" not in sys.modules and not WAITING.keys() & os.environ.keys():
        os.environ.update(WAITING)


def allowed() -> set[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(allowed())


@contextmanager
def on_one_core() -> Iterator[bool]:
    """Keep all threads of this process on one of its cores for a while.

    What it gives is whether it can, which only Linux lets it. Afterwards each may use the cores
    that it could before, and one that has been started meanwhile those of the process.
    """
    if not (hasattr(os, "sched_setaffinity") and _TASKS.is_dir()):
        yield False
        return
    cores = allowed()
    before = {thread: os.sched_getaffinity(thread) for thread in _threads()}
    try:
        _allow({thread: {min(cores)} for thread in before})
        yield True
    finally:
        _allow({thread: before.get(thread, cores) for thread in _threads()})


def _threads() -> list[int]:
    return [int(thread.name) for thread in _TASKS.iterdir()]


def _allow(cores: Mapping[int, set[int]]) -> None:
    for thread, allowed_cores in cores.items():
        with suppress(OSError):  # it has ended
            os.sched_setaffinity(thread, allowed_cores)


def quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """Return the cores that a container is allowed, where that is fewer than it sees."""
    try:
        limit, period = path.read_text(encoding="ascii").split()
        return round(int(limit) / int(period), 2)
    except (OSError, ValueError):
        return None


def processor() -> str:
    """Return the processor's name."""
    return _field("model name") or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """Return the vector and matrix instructions that matter to a training."""
    flags = set((_field("flags") or _field("Features")).split())
    return [name for flag, name in _SETS.items() if flag in flags]


def peak_memory() -> int:
    """Return the most memory, in bytes, that this process has held at once."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes but on a Mac


def heeded_signals(*names: str) -> tuple[signal.Signals, ...]:
    """Return those of the named signals that this thread may handle and that mean something.

    A signal that is ignored, as by `nohup` or in a script's background, was switched off by
    whoever started the process, and stays so. Some systems lack some signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return ()
    there = (getattr(signal, name) for name in names if hasattr(signal, name))
    return tuple(s for s in there if signal.getsignal(s) is not signal.SIG_IGN)


def is_terminal(stream: IO[str]) -> bool:
    """Tell whether a stream is a terminal that can redraw a line.

    FORCE_COLOR and the like, which make other programs colour a log, change nothing here.
    """
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # it is closed
        return False


def nearest_folder(folder: Path) -> tuple[Path, bool]:
    """Return the nearest folder that exists, and whether it can be written."""
    existing = folder.absolute()
    while not existing.is_dir() and existing != existing.parent:
        existing = existing.parent
    return existing, os.access(existing, os.W_OK | os.X_OK)


def _field(name: str) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, "")
