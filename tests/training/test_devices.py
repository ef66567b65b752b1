"""A training on two devices: two processes, one run, the weights of one process.

Where a test trains in its own process, that is process 0.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest
import torch

import hundredfold as hf
from hundredfold import cli, run
from hundredfold.api.options import CommandOptions
from hundredfold.compute import device

PLAIN = ["train", "--data", "digits", "--model", "simple_cnn(dropout=0.2)", "--batch-size", "128",
         "--augment", "shift | mixup", "--precision", "fp32", "--threads", "1"]  # fmt: skip
PATIENCE = 600  # seconds of a command, on a machine that others use
LOST = 30  # seconds until a lost process has ended the command
NAP = 0.05  # seconds between looks


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
    out = tmp_path_factory.mktemp("alone")
    assert cli.main([*PLAIN, "--epochs", "3", "--out", str(out), "--name", "one"]) == 0
    return out / "one"


def _children(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="needs /proc to find a process"
)


def _wait(ended: Callable[[], bool], limit: float) -> None:
    """Wait so many seconds, of which those count in which this process runs too."""
    for _ in range(round(limit / NAP)):
        if ended():
            return
        time.sleep(NAP)
    raise AssertionError(f"nothing ended within {limit} seconds")


class Killed(NamedTuple):
    """A command of which a process was killed: its run, exit code and errors."""

    run: Path
    code: int
    errors: str


def _kill_one(out: Path, *, leader: bool) -> Killed:
    """Kill process 0 or the other of a training on two devices, after its first epoch.

    Both end within the seconds that are promised.
    """
    process = _start(out, "two", *PLAIN, "--epochs", "3", "--devices", "2")
    curve = out / "two" / "curve.jsonl"
    _wait(lambda: process.poll() is not None or _has_lines(curve), PATIENCE)
    others = _children(process.pid) if process.poll() is None else []
    if others:
        os.kill(process.pid if leader else others[0], signal.SIGKILL)
        _wait(lambda: process.poll() is not None and _gone(others[0]), LOST)
    _, errors = process.communicate(timeout=PATIENCE)
    return Killed(out / "two", process.returncode, errors)


def _killed(out: Path, *, leader: bool) -> Killed:
    """Return a command of which a process was killed before its training ended."""
    for attempt in range(8):
        killed = _kill_one(out / str(attempt), leader=leader)
        if killed.code:
            return killed
    raise AssertionError("every training ended before its process could be killed")


def _has_lines(file: Path) -> bool:
    return file.is_file() and bool(file.read_text())


def _gone(process: int) -> bool:
    """Return whether a process has ended, waited for or not."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


@needs_proc
def test_a_lost_process_ends_the_command_and_one_device_resumes_to_the_same_bits(
    alone: Path, tmp_path: Path
) -> None:
    killed = _killed(tmp_path, leader=False)
    assert killed.code == 5
    assert re.findall("^error: .*", killed.errors, re.M) == [
        "error: process 1 of this training has ended, so the training has stopped"
    ]
    assert "SIGKILL" in killed.errors
    assert "Traceback" not in killed.errors
    assert run.Run(killed.run).info["status"] == "failed"
    again = tmp_path / "again"
    shutil.copytree(killed.run, again)
    one_device = ["--devices", "1", "--threads", "1"]
    assert cli.main(["train", "--resume", str(killed.run), *one_device]) == 0
    _same(alone, killed.run)
    assert run.Run(killed.run).info["devices"] == 1
    assert cli.main(["train", "--resume", str(again)]) == 0
    _same(alone, again)
    assert run.Run(again).info["devices"] == 2


@needs_proc
def test_the_others_end_where_process_0_is_lost(tmp_path: Path) -> None:
    killed = _killed(tmp_path, leader=True)
    assert killed.code == -signal.SIGKILL
    assert re.findall("^.*error: .*", killed.errors, re.M) == [
        "error: a process of this training has ended: process 0 is lost; the run can be resumed"
    ]
    assert "Traceback" not in killed.errors


def test_python_trains_on_two_devices_to_the_bits_of_one(alone: Path, tmp_path: Path) -> None:
    trained = hf.train(
        data="digits", model="simple_cnn(dropout=0.2)", batch_size=128, epochs=3, threads=1,
        augment="shift | mixup", precision="fp32", out=tmp_path, name="two", devices=2,
        progress="none",
    )  # fmt: skip
    _same(alone, trained.folder)
    assert trained.info["devices"] == 2
    assert "devices=2" in trained.info["command"]


NET = """
from torch import nn
from hundredfold.models import build

def net(classes):
    return nn.Sequential(build("simple_cnn", classes=32, size=32, seed=0), nn.Dropout(0.4),
                         nn.Linear(32, classes))
"""


@pytest.mark.parametrize("model", ["wrn(depth=10, width=1, dropout=0.4)", "net.py:net"])
def test_dropout_is_that_of_one_process_where_images_of_a_micro_batch_are_divided(
    model: str, elsewhere: Path
) -> None:
    """The loss of one step shows which units were dropped, and no rounding of earlier steps."""
    (elsewhere / "net.py").write_text(NET)
    losses = []
    for count in ("1", "2"):
        options = ["--model", model, "--batch-size", "128", "--epochs", "0.1", "--devices", count]
        assert cli.main(["train", "--data", "digits", "--precision", "fp32", "--threads", "1",
                         *options, "--name", count]) == 0  # fmt: skip
        losses.append(run.Run(elsewhere / "runs" / count).curve[0]["train.loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


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
        (["--devices", "0"], "devices=0 is out of range"),
        (["--devices", "many"], "devices='many' is no number"),
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


def _says(capfd: pytest.CaptureFixture[str], *options: str) -> str:
    """Return what a refused command says: one sentence, and nothing starts."""
    assert cli.main([*PLAIN, *options]) == 2
    errors = capfd.readouterr().err
    assert errors.count("error:") == 1
    return errors


def test_a_number_beside_torchrun_is_refused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "3",
             "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    said = _says(capfd, "--devices", "2")
    assert "torchrun has started 3 processes, and --devices 2 would start others" in said
    assert "torchrun starts the processes of one training" in _says(capfd, "--dry-run")
    assert cli.main(["study", "quickstart", "--out", "runs"]) == 2
    assert "not of a study" in capfd.readouterr().err
    assert cli.main(["tune", "simple-cnn", "--trials", "2", "--out", "runs"]) == 2
    assert "not of a search" in capfd.readouterr().err
    assert not (elsewhere / "runs").exists()


def test_more_gpus_than_there_are_are_refused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(device, "choose", lambda name: torch.device(name))
    assert "3 GPUs are asked for, and 2 are there" in _says(
        capfd, "--device", "cuda", "--devices", "3"
    )
    assert "--device cuda:1 is one GPU, and 2 devices are asked for" in _says(
        capfd, "--device", "cuda:1", "--devices", "2"
    )
    assert "there is one MPS device" in _says(capfd, "--device", "mps", "--devices", "2")
    assert not (elsewhere / "runs").exists()


def test_all_devices_are_gpus(elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = _says(capfd, "--device", "cpu", "--devices", "all")
    assert "--devices all takes every GPU, and this training is on cpu" in said
    assert not (elsewhere / "runs").exists()


def test_the_help_of_device_and_of_devices_names_the_other() -> None:
    help_of = get_type_hints(CommandOptions, include_extras=True)
    assert "--devices" in help_of["device"].__metadata__[-1]
    assert "--device " in help_of["devices"].__metadata__[-1]
