"""SLURM's script: what bash makes of it, task by task, with SLURM's own commands replaced."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hundredfold.executors import Job, Slurm
from hundredfold.executors.slurm_script import array_script

_SLOW = "trap 'echo saved > saved; exit 143' TERM; mkdir -p run/a; touch run/a/run.json; "


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return variables in which `scontrol` notes what it is asked."""
    control = tmp_path / "scontrol"
    control.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n', encoding="utf-8")
    control.chmod(0o755)
    slurm = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
    return os.environ | slurm | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def started(
    folder: Path, environment: dict[str, str], begin: str, resume: str = "false"
) -> subprocess.Popen[bytes]:
    (folder / "1").mkdir(exist_ok=True)
    script = folder / "array.sh"
    commands = [("false", "false"), (begin, resume)]
    script.write_text(array_script(folder, commands, "x", 2, 0), encoding="utf-8")
    return subprocess.Popen(["bash", str(script)], env=environment, cwd=folder / "1")


def test_a_task_runs_its_own_command_and_leaves_its_exit_code(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert started(tmp_path, environment, "sh -c 'echo done; exit 3'").wait(20) == 3
    assert (tmp_path / "1" / "code").read_text() == "3\n"
    assert (tmp_path / "1" / "out.json").read_text() == "done\n"
    assert (tmp_path / "1" / "node").read_text().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_queues_the_task_again_and_then_it_resumes(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    slow = f'bash -c "{_SLOW} while true; do sleep 0.05; done"'
    task = started(tmp_path, environment, slow)
    limit = time.monotonic() + 20
    while not (tmp_path / "1" / "run" / "a" / "run.json").exists() and time.monotonic() < limit:
        time.sleep(0.02)
    task.send_signal(number)
    assert task.wait(20) == 0
    assert (tmp_path / "1" / "saved").exists()
    assert (tmp_path / "asked").read_text() == "requeue 7_1\n"
    assert not (tmp_path / "1" / "code").exists()
    assert started(tmp_path, environment, "false", "echo resumed").wait(20) == 0
    assert (tmp_path / "1" / "out.json").read_text() == "resumed\n"
    assert (tmp_path / "1" / "code").read_text() == "0\n"


def test_a_task_that_is_stopped_is_not_queued_again(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stop").touch()
    assert started(tmp_path, environment, "echo began").wait(20) == 143
    assert not (tmp_path / "1" / "out.json").exists()
    assert not (tmp_path / "asked").exists()


def test_a_script_asks_for_what_a_run_needs_and_writes_nothing(tmp_path: Path) -> None:
    jobs = {n: Job(tmp_path / "runs" / f"r{n}", ("a b.toml",)) for n in range(1001)}
    first, second = Slurm(4, 2, tmp_path).scripts(jobs, "mine")
    lines = first.splitlines()
    for line in (
        "#SBATCH --job-name=hundredfold-mine", "#SBATCH --array=0-999",
        "#SBATCH --cpus-per-task=4", "#SBATCH --gpus-per-task=2", "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@120",
    ):  # fmt: skip
        assert line in lines
    assert "#SBATCH --array=0-0" in second.splitlines()
    assert "train 'a b.toml' --out" in first
    assert subprocess.run(["bash", "-n"], input=first, text=True).returncode == 0
    assert list(tmp_path.iterdir()) == []
