"""A run whose process was killed: stopped, resumable, and its best weights can be used."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from hundredfold import cli
from hundredfold.errors import MissingError
from hundredfold.run import Run

TRAIN = ["train", "--data", "shapes(size=18, classes=4, images=60)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--patience", "0"]  # fmt: skip
START = (
    "import sys; from hundredfold import cli; from hundredfold.training import saves\n"
    "saves.SHARE_OF_TIME = float('inf')  # a save an epoch\n"
    "sys.exit(cli.main(sys.argv[1:]))"
)


def _kill(folder: Path, epochs: int) -> Run:
    """Train in a process, kill it after so many epochs have been saved, and return the run."""
    arguments = [*TRAIN, "--epochs", "10000", "--name", "killed"]
    process = subprocess.Popen(
        [sys.executable, "-c", START, *arguments], cwd=folder, stdout=subprocess.DEVNULL
    )
    run, patience = Run(folder / "runs" / "killed"), time.monotonic() + 120
    while not run.curve or len(run.curve) < epochs:
        assert process.poll() is None and time.monotonic() < patience
        time.sleep(0.02)
    assert run.info["status"] == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    return run


@pytest.fixture
def killed(elsewhere: Path) -> Run:
    return _kill(elsewhere, 5)


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    capsys.readouterr()
    assert cli.main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_is_stopped_wherever_it_is_shown(
    killed: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert '"running"' in (killed.folder / "run.json").read_text(), "as the process left it"
    (listed,) = _printed(capsys, "runs")["runs"]
    assert (listed["status"], listed["reason"]) == ("stopped", "process gone")
    assert _printed(capsys, "runs", "killed")["info"]["status"] == "stopped"
    assert cli.main(["runs"]) == 0
    assert "stopped" in capsys.readouterr().out


def test_one_that_is_written_runs(killed: Run) -> None:
    with killed.writer():
        assert killed.info["status"] == "running"
    assert killed.info["status"] == "stopped"


def test_looking_at_a_run_never_keeps_its_writer_out(killed: Run) -> None:
    look = "import pathlib, sys; from hundredfold.run import Run\nwhile True: "
    look += "Run(pathlib.Path(sys.argv[1])).info"
    command = [sys.executable, "-c", look, str(killed.folder)]
    lookers = [subprocess.Popen(command) for _ in range(2)]
    try:
        time.sleep(1.0)
        for _ in range(50):
            with killed.writer():
                pass
    finally:
        for looker in lookers:
            os.kill(looker.pid, signal.SIGKILL)
            looker.wait()


def test_the_best_weights_of_its_newest_save_are_used_aloud(
    killed: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not killed.best().exists()
    Image.fromarray(np.full((18, 18, 3), 200, np.uint8)).save("image.png")
    (predicted,) = _printed(capsys, "predict", "killed", "image.png")["predictions"]
    assert predicted["probability"] > 0
    assert "training has not ended; using its best weights so far, of epoch" in caplog.text
    commits = [json.loads(p.read_text()) for p in (killed.folder / "state").glob("[0-9]*.json")]
    newest = max(commits, key=lambda commit: commit["position"]["epoch"])
    assert killed.weights_to_use()[0] == killed.folder / "state" / newest["best"]["file"]
    scores = _printed(capsys, "evaluate", "killed")["scores"]
    assert scores["test.top_1"]["value"] > 0.5
    assert killed.info["status"] == "stopped"


def test_damaged_weights_of_the_newest_save_give_way_to_those_before(killed: Run) -> None:
    newest, _ = killed.weights_to_use()
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    with suppress(MissingError):  # both saves may have had the same best epoch
        before, _ = killed.weights_to_use()
        assert before != newest
        load_file(before)


def test_a_run_killed_before_its_first_save_has_no_weights_yet(
    killed: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    killed.delete_state()
    Image.fromarray(np.full((18, 18, 3), 200, np.uint8)).save("image.png")
    assert cli.main(["predict", "killed", "image.png"]) == 4
    error = capsys.readouterr().err
    assert "has no weights yet" in error
    assert "--resume" in error


def test_training_it_again_names_the_way_to_go_on(
    killed: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*TRAIN, "--epochs", "10000", "--name", "killed"]) == 2
    error = capsys.readouterr().err
    assert "is not finished" in error
    assert f"hundredfold train --resume {Path('runs') / 'killed'}" in error
    with killed.writer():
        assert cli.main([*TRAIN, "--epochs", "10000", "--name", "killed"]) == 2
    assert "is being trained" in capsys.readouterr().err
