"""A training notices competing processes: with a budget it adapts, without one it reports."""

import os
import sys
from pathlib import Path

import pytest
import torch

from hundredfold import cli, machine, run
from hundredfold.compute import contention
from hundredfold.compute.contention import Contention

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Kernel:
    """A clock, and a kernel's counters of three cores; this process may use the first two."""

    def __init__(self, proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.proc = 100.0, proc
        self.waits, self.idle = {"t1": 50.0, "t2": 7.0}, [900.0, 800.0, 700.0]
        monkeypatch.setattr(contention.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(machine, "allowed", lambda: {0, 1})
        self.goes_on(0)

    def goes_on(self, seconds: float, idle: tuple[float, ...] = (), **waits: float) -> None:
        """Advance the clock; cores are idle and threads wait for these seconds."""
        self.now += seconds
        for core, more in enumerate(idle):
            self.idle[core] += more
        for thread, more in waits.items():
            self.waits[thread] = self.waits.get(thread, 0.0) + more
        for thread, waited in self.waits.items():
            folder = self.proc / "self" / "task" / thread
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "schedstat").write_text(f"987654321 {round(waited * 1e9)} 12\n")
        lines = [f"cpu{n} 5 6 7 {round(s * TICKS)} 8 0 9 0 0 0\n" for n, s in enumerate(self.idle)]
        (self.proc / "stat").write_text("cpu  1 2 3 4 5 6 7 0 0 0\n" + "".join(lines) + "intr 1\n")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(tmp_path, monkeypatch)


def test_a_thread_that_waits_for_its_core_is_one_too_many(kernel: Kernel) -> None:
    looking = Contention(kernel.proc)
    kernel.goes_on(4, t2=4)
    assert looking.threads(2, 2) == 2, "too soon to tell"
    kernel.goes_on(6, t1=0.2)
    assert looking.threads(2, 2) == 1, "t2 waited for 4 of 10 seconds"
    kernel.goes_on(10, t1=2, t2=2, t3=600)
    assert looking.threads(2, 2) == 2, "a fifth of the time; t3 is new"
    kernel.goes_on(10, t1=9)
    assert looking.threads(1, 2) == 1, "there is no training with no thread"


def test_a_core_that_is_idle_takes_a_thread_again(kernel: Kernel) -> None:
    looking = Contention(kernel.proc)
    kernel.goes_on(10, idle=(7, 0, 10))
    assert looking.threads(1, 2) == 1, "the third core is not ours"
    kernel.goes_on(10, idle=(5, 4, 0))
    assert looking.threads(1, 2) == 2
    kernel.goes_on(10, idle=(10, 10, 0))
    assert looking.threads(2, 2) == 2, "there are to be no more"


@pytest.mark.parametrize("stat", ["", "cpu0 1 2\n", "cpu0 a b c d e\n"])
def test_without_counters_no_competing_process_is_detected(kernel: Kernel, stat: str) -> None:
    (kernel.proc / "stat").write_text(stat)
    (kernel.proc / "self" / "task" / "t1" / "schedstat").write_text("0 0\n")
    for proc in (kernel.proc, kernel.proc / "absent"):
        looking = Contention(proc)
        kernel.now += 60
        assert looking.threads(1, 2) == 1
        assert looking.threads(2, 2) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the counts are those of Linux")
def test_counters_of_this_kernel_are_read() -> None:
    counts = Contention()._count()
    assert counts.waits
    assert all(0 <= seconds < counts.at for seconds in counts.waits.values())
    assert 0 < counts.idle <= counts.at * machine.cores() * 1.01


@pytest.mark.parametrize(("budget", "better"), [(False, 1), (False, 2), (True, 1), (True, 2)])
def test_a_training_uses_fewer_threads_or_reports_what_would_be_faster(
    budget: bool, better: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    monkeypatch.setattr(Contention, "threads", lambda _, now, __: used.append(now) or better)
    options = ["--data", "shapes(size=18, classes=4, images=200)", "--model", "simple_cnn",
             "--batch-size", "16", "--precision", "fp32", "--out", str(tmp_path), "--name", "a",
             "--threads", "2"]  # fmt: skip
    before = torch.get_num_threads()
    assert (
        cli.main(["train", *options, *(["--budget", "10s"] if budget else ["--epochs", "2"])]) == 0
    )
    assert torch.get_num_threads() == 2, "as before the training"
    torch.set_num_threads(before)
    log = (run.open_run("a", tmp_path).folder / "log.txt").read_text()
    assert log.count("another process takes a core") == (better == 1)
    assert log.count(f"--resume {tmp_path / 'a'} --threads 1") == (better == 1 and not budget)
    assert set(used[1:]) == ({1} if budget and better == 1 else {2})


def test_threads_with_micro_batches_of_their_own_are_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[int] = []
    monkeypatch.setattr(Contention, "threads", lambda _, now, __: watched.append(now) or 1)
    used = torch.get_num_threads()
    for name, micro_batch in (("whole", 0), ("micro-batches", 16)):
        options = ["--data", "shapes(size=18, classes=4, images=200)", "--model", "simple_cnn",
                 "--batch-size", "32", "--set", f"micro_batch={micro_batch}", "--epochs", "1",
                 "--precision", "fp32", "--out", str(tmp_path), "--name", name,
                 "--threads", "2"]  # fmt: skip
        assert cli.main(["train", *options]) == 0
        assert bool(watched) == (name == "whole")
        watched.clear()
    torch.set_num_threads(used)
