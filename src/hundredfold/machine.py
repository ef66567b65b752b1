"""Facts about the machine, from the operating system."""

import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from hundredfold import cgroups

_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 bf16",
    "amx_bf16": "AMX bf16",
    "bf16": "Arm bf16",
    "sve": "SVE",
    "asimd": "NEON",
}

PARENT = "HUNDREDFOLD_PARENT"  # id of the parent process, with which a child command ends
CHOICES = "HUNDREDFOLD_CHOICES"  # file with the precision and algorithms that a study has chosen

_LIMITS = ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")  # variables that limit threads
_TASKS = Path("/proc/self/task")  # has a folder for each thread of this process, on Linux

# Threads that wait for each other busy-wait for a millisecond at most, then block, and much less
# beside competing processes (compute/waiting.py, docs/decisions/0009). OpenMP reads these when
# torch is loaded; the second is for the OpenMP of PyTorch's Linux wheels.
WAITING = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "100000"}


def wait_briefly() -> None:
    """Set the variables WAITING, unless the user has set one or torch is already loaded."""
    if "torch" not in sys.modules and not WAITING.keys() & os.environ.keys():
        os.environ.update(WAITING)


def allowed() -> set[int]:
    """Return the indices of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def cores() -> int:
    """Return the number of cores to use: the number of threads where the user sets none.

    It is at most the cores that the process is allowed, a container's CPU quota (rounded down),
    OMP_NUM_THREADS and SLURM_CPUS_PER_TASK; and at least 1.
    """
    limits = [len(allowed()), *filter(None, map(_variable, _LIMITS))]
    if (quota := cgroups.cpu_quota()) is not None:
        limits.append(int(quota))
    return max(1, min(limits))


def _variable(name: str) -> int:
    """Return the number in an environment variable, of "4,2" the first; 0 without one."""
    text = os.environ.get(name, "").partition(",")[0].strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def python() -> list[str]:
    """Return the command of another Python, which finds modules where this one does.

    A current folder in which this one does not look may be anyone's, and is left out there too.
    """
    here = "" in sys.path or str(Path.cwd()) in sys.path
    return [sys.executable, *([] if here else ["-P"])]


@contextmanager
def on_one_core() -> Iterator[bool]:
    """Keep all threads of this process on one core within the block.

    Yields whether that is possible, which is only so on Linux. Afterwards each thread may use
    its former cores, and threads started meanwhile may use those of the process.
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
        with suppress(OSError):  # the thread has ended
            os.sched_setaffinity(thread, allowed_cores)


def processor() -> str:
    """Return the processor's name."""
    return _field("model name") or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """Return the processor's vector and matrix instruction sets that speed up training."""
    flags = set((_field("flags") or _field("Features")).split())
    return [name for flag, name in _SETS.items() if flag in flags]


def chip() -> list[str]:
    """Return the processor's name and its instruction sets, on which fast algorithms depend."""
    return [processor(), *instruction_sets()]


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # in KiB, except on macOS


def free_memory() -> int:
    """Return the bytes of memory that a process can still take; a container's limit counts."""
    import psutil

    return min(int(psutil.virtual_memory().available), cgroups.free_memory())


def handled_signals(*names: str) -> tuple[signal.Signals, ...]:
    """Return the named signals that exist here, that this thread may handle, and not ignored ones.

    A signal that is ignored at the start, as under `nohup` or in the background of a script,
    stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return ()
    there = (getattr(signal, name) for name in names if hasattr(signal, name))
    return tuple(s for s in there if signal.getsignal(s) is not signal.SIG_IGN)


@contextmanager
def signals_to(handler: Callable[[int, FrameType | None], None], *names: str) -> Iterator[None]:
    """Let a function handle the named signals within the block; see `handled_signals`."""
    before = {number: signal.signal(number, handler) for number in handled_signals(*names)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def is_terminal(stream: IO[str]) -> bool:
    """Return whether a stream is a terminal that can redraw a line.

    FORCE_COLOR and similar variables are ignored.
    """
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # it is closed
        return False


def styled(stream: IO[str]) -> IO[str]:
    """Return the stream that takes control sequences, of one that shows them escaped."""
    unescaped: IO[str] = getattr(stream, "styled", stream)
    return unescaped


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
