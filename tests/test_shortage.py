"""A lack of memory is recognised in every library's words, and ends with exit code 5."""

import errno
import mmap
import os

import numpy as np
import pytest

from hundredfold.cli import _failure
from hundredfold.shortage import is_shortage

WORDS = [
    RuntimeError("could not create a primitive"),
    RuntimeError("could not create a memory object"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    RuntimeError("unable to mmap 400 bytes from file: Cannot allocate memory (12)"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    MemoryError(),
    type("OutOfMemoryError", (RuntimeError,), {})("CUDA"),
]


@pytest.mark.parametrize("problem", WORDS, ids=[str(w) or "MemoryError" for w in WORDS])
def test_every_wording_is_a_lack_of_memory(problem: BaseException) -> None:
    assert is_shortage(problem)
    told = _failure.as_error(problem, ["train"])
    assert told.exit_code == 5
    assert told.message == "there is not enough memory" and told.found


def test_numpy_and_the_system_say_so_too() -> None:
    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 60, dtype=np.uint8)
    assert is_shortage(caught.value)
    with pytest.raises(OSError) as failed:
        mmap.mmap(-1, 1 << 62)
    assert is_shortage(failed.value)


@pytest.mark.parametrize(
    "problem",
    [RuntimeError("shapes differ"), ValueError("out of memory"), OSError(errno.EIO, "no")],
)
def test_other_errors_are_not(problem: BaseException) -> None:
    assert not is_shortage(problem)


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENAMETOOLONG, 2), (errno.ELOOP, 2), (errno.ENOTDIR, 2), (errno.EIO, 5),
     (errno.EMFILE, 5), (errno.ENOSPC, 5), (errno.EROFS, 2)],
)  # fmt: skip
def test_what_the_system_refuses_is_told_as_it_is(number: int, code: int) -> None:
    told = _failure.as_error(OSError(number, os.strerror(number), "a"), ["runs"])
    assert told.exit_code == code and os.strerror(number) in told.message
