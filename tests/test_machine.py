"""What is asked of the operating system, and asked of it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hundredfold import machine

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux lets us")


@linux
def test_all_threads_stay_on_one_core_and_are_free_again() -> None:
    cores = machine.allowed()
    with ThreadPoolExecutor(1) as early, ThreadPoolExecutor(1) as late:
        early.submit(machine.allowed).result()  # it has been started
        with machine.on_one_core() as kept:
            assert kept
            found = [
                machine.allowed(),
                *(pool.submit(machine.allowed).result() for pool in (early, late)),
            ]
        assert found == [{min(cores)}] * 3
        for pool in (early, late):
            assert pool.submit(machine.allowed).result() == cores
    assert machine.allowed() == cores


@linux
def test_after_an_error_they_are_free_too() -> None:
    cores = machine.allowed()
    with pytest.raises(ValueError, match="no"), machine.on_one_core():
        raise ValueError("no")
    assert machine.allowed() == cores


@pytest.mark.parametrize("lacking", ["the call", "the folder"])
def test_where_it_cannot_be_it_says_so(
    lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking == "the call":
        monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    else:
        monkeypatch.setattr(machine, "_TASKS", tmp_path / "none")
    with machine.on_one_core() as kept:
        assert not kept


def test_peak_memory_counts_what_was_given_back() -> None:
    """In a process of its own: a training tells the C library to keep what is freed."""
    lines = [
        "import psutil",
        "from hundredfold import machine",
        "held = bytearray(b'x') * 300_000_000",
        "del held",
        "print(machine.peak_memory() - psutil.Process().memory_info().rss)",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200_000_000


@pytest.mark.parametrize(
    ("memory", "peak"), [({"rss": 5, "peak_wset": 7}, 7), ({"rss": 5}, 5)], ids=["Windows", "none"]
)
def test_without_resource_peak_memory_is_psutils(
    memory: dict[str, int], peak: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(**memory))
    monkeypatch.setattr(psutil, "Process", lambda: process)
    assert machine.peak_memory() == peak


def test_another_python_looks_in_the_current_folder_only_where_this_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stranger.py").write_text("")
    imports = ["-c", "import stranger"]
    for known, code in (([], 1), ([str(tmp_path)], 0)):
        monkeypatch.setattr(sys, "path", known)
        command = [*machine.python(), *imports]
        assert subprocess.run(command, capture_output=True, check=False).returncode == code
