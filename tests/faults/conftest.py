"""The fault harness: a tenth of it in the ordinary suite, all of it with `make faults`.

HUNDREDFOLD_FAULTS=all carries out everything; HUNDREDFOLD_FAULTS_LOG is a file to which
each test appends what it tried and what held, one JSON object a line (see table.py).
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hundredfold.run import Run

TENTHS = 10 if os.environ.get("HUNDREDFOLD_FAULTS") == "all" else 1
_CLOCK = ("seconds", "waited", "saving")
Options = list[str]
Task = dict[str, Any]


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    """Heed SIGINT also where the harness runs in a script's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for its `tenth` the first one, or each in turn."""
    if "tenth" in metafunc.fixturenames:
        metafunc.parametrize("tenth", range(TENTHS))


@pytest.fixture
def plain() -> Options:
    """Return options of a training that takes a fraction of a second."""
    return ["--data", "shapes(size=18, classes=4, images=20)", "--batch-size", "12",
            "--precision", "fp32", "--threads", "1"]  # fmt: skip


@pytest.fixture
def rich(plain: Options) -> Options:
    """Return options that leave nothing of what resuming could get wrong untouched."""
    return [*plain, "--model", "simple_cnn(dropout=0.3)", "--epochs", "4", "--patience", "2",
            "--augment", "flip | shift | mixup", "--set", "ema=0.9",
            "--schedule", "cosine"]  # fmt: skip


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[str, int, int, str], None]:
    """Return a function that notes a promise: how often it was tried and held, and a measure."""

    def note(promise: str, tried: int, held: int, measured: str = "") -> None:
        place = os.environ.get("HUNDREDFOLD_FAULTS_LOG")
        row = {"promise": promise, "tried": tried, "held": held, "measured": measured}
        if place:
            with Path(place).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row | {"test": request.node.nodeid}) + "\n")
        assert held == tried, row

    return note


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Task]:
    """Return a function that makes the task of training, and resuming, a run of some name."""

    def make(name: str, options: Options, out: Path | None = None, **more: object) -> Task:
        out = out or tmp_path
        return {
            "arguments": ["train", *options, "--out", str(out), "--name", name],
            "resume": ["train", "--resume", str(out / name)],
            "run": str(out / name),
            "said": str(tmp_path / f"{name}.said"),
            **more,
        }

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own of 2 MB, or skip where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def differences() -> Callable[[Path, Path], list[str]]:
    """Return a function that compares two runs."""
    return _differences


def _differences(one: Path, other: Path) -> list[str]:
    """Return in what two runs differ, apart from what clocks say.

    Compared byte by byte: weights, logits, scores and their digests, tables, recipe, and
    curve.jsonl without "seconds"; of runs that are not done the newest state (model, average,
    optimizer), the best weights in it, and of its commit all but the clocks. Of run.json:
    status, reason, best epoch, epochs.
    """
    names = {f.relative_to(one).as_posix() for f in _files(one)}
    others = {f.relative_to(other).as_posix() for f in _files(other)}
    found = [f"only in one: {name}" for name in sorted(names ^ others)]
    for name in sorted(names & others - {"run.json", "log.txt", "curve.jsonl"}):
        if (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    for what in (_curve, _state, _info):
        if what(one) != what(other):
            found.append(what.__name__)
    return found


def _files(folder: Path) -> list[Path]:
    kinds = ("*.safetensors", "*.npy", "*.csv", "*.json", "*.toml", "*.part")
    return [f for kind in kinds for f in folder.rglob(kind) if f.parent.name != "state"]


def _curve(folder: Path) -> str:
    return re.sub(r'"seconds": [0-9.]+, ', "", (folder / "curve.jsonl").read_text())


def _state(folder: Path) -> tuple[Any, ...]:
    if Run(folder).info["status"] == "done":  # and keeps none
        return tuple((folder / "state").iterdir())
    newest = max((folder / "state").glob("[0-9]*.json"))
    commit = json.loads(newest.read_text())
    position = {k: v for k, v in commit["position"].items() if k not in (*_CLOCK, "curve")}
    hashes = [commit[key]["sha256"] for key in ("tensors", "best")]
    contents = [(folder / "state" / commit[k]["file"]).read_bytes() for k in ("tensors", "best")]
    return newest.name, position, hashes, contents


def _info(folder: Path) -> list[Any]:
    info = Run(folder).info
    return [info[key] for key in ("status", "reason", "best_epoch", "epochs", "recipe_digest")]
