"""The device and the number of threads that a training uses."""

import ctypes
import importlib.util
import os
import re
import shutil

import torch

from hundredfold import machine
from hundredfold.compute import waiting
from hundredfold.errors import MissingError, UsageError, pip_install, shortened
from hundredfold.spec import THREADS, need

_NAMES = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def choose(name: str) -> torch.device:
    """Return the device for "auto", "cpu", "cuda", "cuda:1" or "mps".

    "auto" takes the first available of CUDA, Apple's MPS and the CPU. Raises UsageError for a
    device that is not available.
    """
    if not _NAMES.fullmatch(name):
        raise UsageError(
            f"there is no device {shortened(name)} to train on",
            found="devices are cpu, cuda, cuda:1 and mps",
            remedy="--device auto",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        name = "mps" if name == "cpu" and torch.backends.mps.is_available() else name
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise UsageError(
            f"there is no device {name!r} on this machine", remedy="--device auto"
        ) from None
    return device


def sum_type(device: torch.device) -> torch.dtype:
    """Return the dtype of a step's sums: float64 on a CPU, float32 elsewhere.

    MPS has no float64. In float32 a count is exact up to 16.7 million images, and the relative
    error of an epoch's mean loss is about 1e-5.
    """
    return torch.float64 if device.type == "cpu" else torch.float32


def need_compiler(device: torch.device) -> None:
    """Raise MissingError where torch.compile finds no compiler for a device."""
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise MissingError("--compile needs Triton on a GPU", remedy=pip_install("triton"))
    elif shutil.which(os.environ.get("CXX", "g++")) is None:
        raise MissingError(
            "--compile needs a C++ compiler", remedy="install g++, or point CXX to one"
        )


def use_threads(count: int) -> int:
    """Set torch's threads (0: every core this process may use) and return their number.

    Until it is known that cores are idle, they wait briefly for each other.

    Raises UsageError for a number out of range.
    """
    need("threads", count, THREADS)
    torch.set_num_threads(count or machine.cores())
    waiting.briefly()
    return torch.get_num_threads()


def keep_freed_memory() -> None:
    """Make glibc reuse freed memory instead of returning it to the system.

    Each step allocates and frees the same buffers of a few MB. By default the kernel maps and
    zeroes much of that again each time, which is a third of the simple CNN's step. All threads use
    one arena, because arenas per thread return memory. Without glibc this does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 25)  # the largest value that glibc accepts
    mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    mallopt(_M_ARENA_MAX, 1)


def finish(device: torch.device) -> None:
    """Wait until a GPU has finished its queue, so that a clock measures it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def name_of(device: torch.device) -> str:
    """Return the device's product name, such as "NVIDIA H200" or "AMD EPYC (CPU)"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type.upper()
    return f"{machine.processor()} (CPU)"
