"""Recognise a lack of memory, in the words of whatever ran out of it."""

import errno

from hundredfold.errors import CheckError

_WORDS = (
    "out of memory",  # CUDA, MPS, XLA
    "can't allocate memory",  # torch's allocator on a CPU
    "cannot allocate memory",  # the system, of a memory map too
    "not enough memory",
    "unable to allocate",  # NumPy
    "unable to mmap",  # torch
    "failed to map segment",  # the loader of libraries
    "could not create a primitive",  # oneDNN
    "could not create a memory object",
    "could not execute a primitive",
    "bad_alloc",
    "alloc_failed",  # cuBLAS, cuDNN
    "oom when allocating",  # TensorFlow
    "can't start new thread",  # whose stack found no room
)
_TYPES = ("OutOfMemoryError", "ResourceExhaustedError")  # of torch and TensorFlow, not loaded here


def is_shortage(problem: BaseException) -> bool:
    """Return whether an exception says that memory ran out."""
    if isinstance(problem, MemoryError) or type(problem).__name__ in _TYPES:
        return True
    if isinstance(problem, OSError) and problem.errno == errno.ENOMEM:
        return True
    if not isinstance(problem, RuntimeError | OSError | ImportError):
        return False
    words = str(problem).lower()
    return any(part in words for part in _WORDS)


def shortage(problem: BaseException) -> CheckError:
    """Return the error to report where memory ran out, with the first line of what was said."""
    words = " ".join(str(problem).split())[:200]
    return CheckError(
        "there is not enough memory",
        found=words or type(problem).__name__,
        remedy="a smaller --batch-size, smaller images, a smaller model or fewer --threads",
    )
