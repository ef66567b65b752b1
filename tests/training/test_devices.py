"""A training on two devices: two processes, one run, the weights of one process."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hundredfold import cli, run

PLAIN = ["train", "--data", "digits", "--model", "simple_cnn(dropout=0.2)", "--batch-size", "128",
         "--augment", "shift | mixup", "--precision", "fp32", "--threads", "1"]  # fmt: skip
PATIENCE = 600  # seconds of a command, on a machine that others use
LOST = 30  # seconds until a lost process has ended the command


def _start(out: Path, name: str, *options: str, launcher: tuple[str, ...] = ()) -> Any:
    arguments = [*launcher, "-m", "hundredfold", *options, "--out", str(out), "--name", name]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *arguments], env=environment, text=True, **pipes)


def _train(out: Path, name: str, *options: str, **more: Any) -> Path:
    with _start(out, name, *options, **more) as process:
        try:
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    return out / name


def _same(one: Path, other: Path) -> None:
    for name in ("best", "last"):
        file = f"weights/{name}.safetensors"
        assert (one / file).read_bytes() == (other / file).read_bytes()
    assert [row["train.loss"] for row in run.Run(one).curve] == [
        row["train.loss"] for row in run.Run(other).curve
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of one process."""
    return _train(tmp_path_factory.mktemp("alone"), "one", *PLAIN, "--epochs", "3")


def _children(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find a process")
def test_a_lost_process_ends_the_command_and_one_device_resumes_to_the_same_bits(
    alone: Path, tmp_path: Path
) -> None:
    process = _start(tmp_path, "two", *PLAIN, "--epochs", "3", "--devices", "2")
    curve, limit = tmp_path / "two" / "curve.jsonl", time.monotonic() + PATIENCE
    while not (curve.is_file() and curve.read_text()):
        assert time.monotonic() < limit
        time.sleep(0.02)
    (worker,) = _children(process.pid)
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=LOST)
    assert process.returncode == 5
    assert re.findall("^error: .*", errors, re.M) == [
        "error: process 1 of this training has ended, so the training has stopped"
    ]
    assert "SIGKILL" in errors
    assert "Traceback" not in errors
    assert run.Run(tmp_path / "two").info["status"] == "failed"
    assert cli.main(["train", "--resume", str(tmp_path / "two"), "--devices", "1",
                     "--threads", "1"]) == 0  # fmt: skip
    _same(alone, tmp_path / "two")


def test_torchrun_trains_one_run_to_the_bits_of_one_process(alone: Path, tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0",
                "--standalone")  # fmt: skip
    folder = _train(tmp_path, "two", *PLAIN, "--epochs", "3", launcher=launcher)
    _same(alone, folder)
    assert run.Run(folder).info["devices"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "two"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--devices", "129"], "129 devices cannot share a batch of 128 images"),
        (["--devices", "0"], "--devices '0' is no number of devices"),
        (["--devices", "many"], "--devices 'many' is no number of devices"),
        (["--devices", "2", "--engine", "tensorflow"], "the engine tensorflow trains on one"),
        (["--devices", "2", "--compile"], "--compile trains on one device"),
        (["--devices", "2", "--budget", "1m"], "--budget trains on one device"),
        (["--devices", "3", "--model", "wrn(depth=10, width=1)", "--batch-size", "4", "--set",
          "micro_batch=2"], "3 devices cannot share micro-batches of 2 images"),
    ],
)  # fmt: skip
def test_devices_that_cannot_train_are_refused_before_anything_starts(
    options: list[str], words: str, elsewhere: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = PLAIN if "--model" not in options else [*PLAIN[:3], "--precision", "fp32"]
    assert cli.main([*chosen, *options]) == 2
    assert words in capfd.readouterr().err
    assert not (elsewhere / "runs").exists()
