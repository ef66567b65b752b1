"""Long trainings: memory stays, and a study that was killed goes on where it stood."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from hundredfold import cli, run

Tasks = list[dict[str, Any]]
CarryOut = Callable[[Tasks], list[list[int]]]
EPOCHS = 40
STUDY = f"""
title = "Tiny"
base = "digits"
seeds = 1
[overrides]
epochs = {EPOCHS}
limit = 64
batch_size = 16
precision = "fp32"
patience = 0
[vary.one]
[vary.two]
"optimizer.lr" = 0.003
"""


def test_memory_after_30_epochs_is_within_5_percent_of_that_after_3(
    tmp_path: Path, carry_out: CarryOut
) -> None:
    """A copy of the weights more each epoch would be 6.6 MB each time, Adam's state more."""
    log = tmp_path / "memory"
    arguments = ["train", "--data", "shapes(size=72, classes=2, images=20)", "--epochs", "30",
                 "--patience", "0", "--batch-size", "12", "--precision", "fp32", "--threads", "1",
                 "--out", str(tmp_path)]  # fmt: skip
    assert carry_out([{"arguments": arguments, "memory": str(log)}]) == [[0]]
    bytes_after = [int(line) for line in log.read_text().split()]
    assert len(bytes_after) == 30
    assert bytes_after[-1] < 1.05 * bytes_after[2]


def _begin(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "hundredfold", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _wait(until: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_study_that_was_killed_keeps_what_is_done_and_goes_on_with_the_rest(
    elsewhere: Path,
) -> None:
    """kill -9 of the study alone: the training that it began ends by itself, its state saved."""
    (elsewhere / "tiny.toml").write_text(STUDY, encoding="utf-8")
    study = _begin("study", "tiny.toml", "--jobs", "1")
    _wait(lambda: sum(len(one.curve) for one in run.all_runs()) > EPOCHS + 1)
    children = psutil.Process(study.pid).children(recursive=True)
    study.send_signal(signal.SIGKILL)
    study.wait()
    _wait(lambda: not any(child.is_running() for child in children), 15)
    stands = {one.info["status"]: one for one in run.all_runs()}
    assert stands.keys() == {"done", "stopped"}
    done = {p: p.stat().st_mtime_ns for p in stands["done"].folder.rglob("*.safetensors")}
    assert cli.main(["study", "tiny.toml"]) == 0
    assert {p: p.stat().st_mtime_ns for p in stands["done"].folder.rglob("*.safetensors")} == done
    assert "resumed" in (stands["stopped"].folder / "log.txt").read_text()
    assert [len(one.curve) for one in run.all_runs()] == [EPOCHS, EPOCHS]
    assert [one.info["status"] for one in run.all_runs()] == ["done", "done"]
