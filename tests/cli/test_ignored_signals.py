"""A signal that was switched off by whoever started a command changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from hundredfold import machine
from hundredfold.run import Run, all_runs

STUDY = """
base = "digits"
seeds = 1
[overrides]
epochs = 60
limit = 64
batch_size = 16
precision = "fp32"
[vary.a]
"""
TRAIN = ["train", "--data", "digits", "--epochs", "60", "--limit", "64", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--patience", "0", "--name", "a"]  # fmt: skip


def carried_out(arguments: Sequence[str], ignored: signal.Signals, folder: Path) -> tuple[int, str]:
    """Run a command with a signal switched off, send it while it trains, and wait."""
    code = (
        f"import os, signal, sys; signal.signal({int(ignored)}, signal.SIG_IGN); "
        "os.execv(sys.executable, [sys.executable, '-m', 'hundredfold', *sys.argv[1:]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not any(len(one.curve) > 1 for one in all_runs(folder / "runs")):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(ignored)
    for child in psutil.Process(process.pid).children():
        child.send_signal(ignored)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_training_goes_on_to_its_end(ignored: signal.Signals, tmp_path: Path) -> None:
    code, said = carried_out(TRAIN, ignored, tmp_path)
    assert code == 0, said
    assert Run(tmp_path / "runs" / "a").info["status"] == "done"


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_a_study_goes_on_to_its_end(ignored: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY, encoding="utf-8")
    code, said = carried_out(["study", "tiny.toml", "--threads", "1"], ignored, tmp_path)
    assert code == 0, said
    stored = json.loads((tmp_path / "runs" / "tiny" / "study.json").read_text(encoding="utf-8"))
    assert len(stored["members"]) == 1


def test_signals_that_a_system_lacks_or_that_are_ignored_are_left_alone() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        found = machine.handled_signals("SIGTERM", "SIGNOSUCH", "SIGUSR1")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert found == (signal.SIGUSR1,)
    assert machine.handled_signals("SIGTERM") == (signal.SIGTERM,)
