"""One writer a run; and no resuming with other data, another recipe or other weights."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold import cli
from hundredfold.run import Run

Task = dict[str, Any]
CarryOut = Callable[[list[Task]], list[list[int]]]


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def stopped(carry_out: CarryOut, task: Callable[..., Task], plain: list[str]) -> Path:
    """Return a run that was stopped after its first epoch."""
    one = task("stopped", [*plain, "--epochs", "40"], epochs=1, signal=15)
    assert carry_out([one]) == [[143]]
    return Path(one["run"])


def _refused(made: Path, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = _contents(made)
    assert cli.main(["train", "--resume", str(made)]) == code
    assert words in capsys.readouterr().err
    assert _contents(made) == before


def test_a_second_writer_is_refused_within_two_seconds(
    stopped: Path, tally: Callable[[str, int, int, str], None]
) -> None:
    """In a process of its own, start of the interpreter included."""
    command = [sys.executable, "-m", "hundredfold", "train", "--resume", str(stopped)]
    with Run(stopped).writer():
        before, began = _contents(stopped), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
    assert done.returncode == 2
    assert "another process is writing" in done.stderr
    assert _contents(stopped) == before
    assert seconds < 2
    tally("a second writer is refused", 1, 1, f"exit 2 after {seconds:.1f} s")


def test_of_two_that_begin_the_same_run_one_trains_it(tmp_path: Path, plain: list[str]) -> None:
    command = [sys.executable, "-m", "hundredfold", "train", *plain, "--epochs", "3",
               "--out", str(tmp_path), "--name", "a"]  # fmt: skip
    both = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [each.communicate()[1] for each in both]
    codes = sorted(each.returncode for each in both)
    assert codes in ([0, 2], [0, 0]), said  # the later one may find the run finished
    assert Run(tmp_path / "a").info["status"] == "done"
    assert len(Run(tmp_path / "a").curve) == 3


def test_another_image_is_refused(
    tmp_path: Path,
    carry_out: CarryOut,
    task: Callable[..., Task],
    capsys: pytest.CaptureFixture[str],
    tally: Callable[[str, int, int, str], None],
) -> None:
    """One pixel of one of 40 images, in a file of the same size and the same times."""
    chance = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "photos" / ("cats", "dogs")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.bmp")
    options = ["--data", str(tmp_path / "photos"), "--set", "data.size=18", "--batch-size", "12",
               "--epochs", "40", "--precision", "fp32", "--threads", "1"]  # fmt: skip
    one = task("a", options, epochs=1, signal=15)
    assert carry_out([one]) == [[143]]
    file = tmp_path / "photos" / "cats" / "0.bmp"
    times, content = file.stat(), file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 0xFF]))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    _refused(Path(one["run"]), 3, "the data are not those", capsys)
    tally("resume with one changed pixel is refused", 1, 1, "exit 3")


def test_another_recipe_is_refused(
    stopped: Path,
    capsys: pytest.CaptureFixture[str],
    tally: Callable[[str, int, int, str], None],
) -> None:
    text = (stopped / "recipe.toml").read_text()
    (stopped / "recipe.toml").write_text(text.replace("epochs      = 40", "epochs      = 41"))
    assert (stopped / "recipe.toml").read_text() != text
    _refused(stopped, 2, "is not the one that it began with", capsys)
    tally("resume with a changed recipe is refused", 1, 1, "exit 2")


def test_the_state_of_another_recipe_is_refused(
    stopped: Path,
    carry_out: CarryOut,
    task: Callable[..., Task],
    plain: list[str],
    capsys: pytest.CaptureFixture[str],
    tally: Callable[[str, int, int, str], None],
) -> None:
    other = task("other", [*plain, "--epochs", "40", "--seed", "1"], epochs=1, signal=15)
    assert carry_out([other]) == [[143]]
    shutil.rmtree(stopped / "state")
    shutil.copytree(Path(other["run"]) / "state", stopped / "state")
    assert cli.main(["train", "--resume", str(stopped)]) == 5
    assert "that of another recipe" in capsys.readouterr().err
    tally("resume with the weights of another run is refused", 1, 1, "exit 5")
