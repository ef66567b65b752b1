"""The device and the number of threads that a training uses."""

import ctypes
import importlib.util
import os
import shutil

import torch

from hundredfold import machine
from hundredfold.errors import MissingError, UsageError, pip_install

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def choose(name: str) -> torch.device:
    """Return the device for "auto", "cpu", "cuda", "cuda:1" or "mps".

    "auto" takes the first of CUDA, Apple's MPS and the CPU that is there. Raises UsageError
    for a device that is not.
    """
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
    """Return the type that a step's sums have: float64 on a CPU, float32 elsewhere.

    MPS has no float64. In float32 a count is exact up to 16.7 million images, and an epoch's
    mean loss to about 1e-5.
    """
    return torch.float64 if device.type == "cpu" else torch.float32


def need_compiler(place: torch.device) -> None:
    """Raise MissingError where torch.compile has nothing to compile with for a device."""
    if place.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise MissingError("--compile needs Triton on a GPU", remedy=pip_install("triton"))
    elif shutil.which(os.environ.get("CXX", "g++")) is None:
        raise MissingError(
            "--compile needs a C++ compiler", remedy="install g++, or point CXX to one"
        )


def use_threads(wanted: int) -> int:
    """Let torch use that many threads (0: every core this process may use); return how many."""
    if wanted < 0:
        raise UsageError(f"--threads {wanted} is not a number of threads", remedy="--threads 2")
    torch.set_num_threads(wanted or machine.cores())
    return torch.get_num_threads()


def keep_freed_memory() -> None:
    """Let glibc hand freed memory out again instead of giving it back to the system.

    A step frees and takes the same buffers of some MB over and over; by default much of that
    is mapped and zeroed anew by the kernel each time, a third of the simple CNN's step. All
    threads take from one arena, as those of their own give back. Elsewhere than on glibc this
    does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 25)  # the most that glibc takes
    mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    mallopt(_M_ARENA_MAX, 1)


def finish(device: torch.device) -> None:
    """Wait until a GPU has done what it was given, so that a clock tells what it took."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def name_of(device: torch.device) -> str:
    """Return what a person calls the device, e.g. "NVIDIA H200" or "AMD EPYC (CPU)"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type.upper()
    return f"{machine.processor()} (CPU)"
