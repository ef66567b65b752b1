"""Anyone's run: whatever its files hold, each verb is one sentence and changes nothing outside.

A seeded draw of the mutations in tampering.py goes through every verb in this process.
"""

import hashlib
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold import api, cli
from hundredfold.errors import Interrupted
from hundredfold.training import saves
from tests.run.tampering import Mutation, drawn, fields, mutations

DRAWN, SEED = 12, 1


def _pictures(folder: Path) -> Path:
    """Write 12 training and 4 test images of each of 3 classes, 16 px."""
    draw = np.random.default_rng(3)
    for part, count in (("train", 12), ("test", 4)):
        for label in range(3):
            (folder / part / f"c{label}").mkdir(parents=True)
            for k in range(count):
                pixels = draw.integers(0, 100, (16, 16, 3), np.uint8) + np.uint8(50 * label)
                Image.fromarray(pixels).save(folder / part / f"c{label}" / f"{k}.png")
    return folder


def make_runs(base: Path) -> None:
    """Make runs/done, evaluated, and runs/stopped, with a save; and outside/, to stay as it is."""
    options = {
        "data": str(_pictures(base / "pictures")), "model": "simple_cnn",
        "batch_size": 6, "precision": "fp32", "threads": 1, "out": base / "runs", "patience": 0,
    }  # fmt: skip
    whole = api.train(epochs=2, name="done", progress="none", **options)
    whole.evaluate("test", threads=1, corruptions=True, unlike=True)

    def stop(event: Any) -> None:
        if event["event"] == "epoch" and event["epoch"] == 3:
            raise KeyboardInterrupt

    share, saves.SHARE_OF_TIME = saves.SHARE_OF_TIME, float("inf")
    try:
        api.train(epochs=4, name="stopped", progress=stop, **options)
    except (Interrupted, KeyboardInterrupt):
        pass
    finally:
        saves.SHARE_OF_TIME = share
    (base / "outside" / "folder").mkdir(parents=True)
    (base / "outside" / "mine.txt").write_text("mine")
    theirs = base / "outside" / "folder" / "theirs.safetensors"
    shutil.copy(whole.folder / "weights" / "best.safetensors", theirs)
    shutil.copytree(base / "runs", base / "originals", symlinks=True)


def snapshot(base: Path, run: Path) -> dict[str, str]:
    """Return the digest of every file below a folder except those of a run."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(base.rglob("*"))
        if not path.is_relative_to(run) and not path.is_symlink()
    }


class TooLong(BaseException):
    """A command that did not end in time."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise TooLong where the block takes longer."""

    def stop(*_: Any) -> None:
        raise TooLong

    former = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def commands(base: Path, run: str) -> list[list[str]]:
    """Return a command line of every verb that reads a run."""
    folder, out = str(base / "runs" / run), ["--out", str(base / "runs")]
    resume = ["train", "--resume", folder, "--threads", "1"]
    picture = str(base / "pictures" / "test" / "c0" / "0.png")
    return [["runs", *out], ["runs", run, *out], ["report", folder],
             ["predict", folder, picture, "--threads", "1", "--json"],
             ["evaluate", folder, "--split", "test", "--threads", "1"],
             ["evaluate", folder, "--split", "validation", "--threads", "1"], resume]  # fmt: skip


def tried(base: Path, run: str, mutation: Mutation) -> list[str]:
    """Apply a mutation to a copy of a run, carry out every verb, and return what went wrong."""
    original, copy = base / "originals" / run, base / "runs" / run
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    mutation(copy)
    before, wrong = snapshot(base, copy), []
    for command in commands(base, run):
        try:
            with within(240):
                code = cli.main(command)
        except TooLong:
            wrong.append(f"{command[0]} hangs")
            continue
        if code not in (0, 2, 3, 4, 5):
            wrong.append(f"{command[0]} exit {code}")
        if command[0] == "runs" and command[1] == "--out" and code:
            wrong.append(f"runs exit {code}")
    if snapshot(base, copy) != before:
        wrong.append("something outside changed")
    return wrong


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tampered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(folder / "cache"))
        make_runs(folder)
    return folder


@pytest.mark.parametrize("run", ["done", "stopped"])
@pytest.mark.parametrize("kind", ["files", "fields"])
def test_no_tampered_run_is_an_internal_error_or_changes_anything_outside(
    base: Path, monkeypatch: pytest.MonkeyPatch, run: str, kind: str
) -> None:
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(base / "cache"))
    monkeypatch.setenv("HUNDREDFOLD_DEBUG", "1")
    every = mutations(run == "stopped") if kind == "files" else fields(base / "originals" / run)
    wrong = {name: tried(base, run, change) for name, change in drawn(every, DRAWN, SEED).items()}
    assert {name: what for name, what in wrong.items() if what} == {}


def test_the_runs_themselves_are_whole(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mutation each verb does its work, and the stopped run goes on to its end."""
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(base / "cache"))
    for run in ("done", "stopped"):
        assert tried(base, run, lambda _folder: None) == []
        codes = [cli.main(command) for command in commands(base, run)]
        assert codes == [0, 0, 0, 0, 0, 0, 2], "a finished run is not resumed"
