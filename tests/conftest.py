"""What every test gets: its own folders, one thread, no network; the real data if at hand."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from hundredfold import run
from hundredfold.data import Source
from hundredfold.recipe import Recipe
from hundredfold.run import Run

Tasks = list[dict[str, Any]]
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

_REPOSITORY = Path(__file__).resolve().parents[1]
_SHARED = _REPOSITORY.parent / "shared" / "data"
SMALL: dict[str, Any] = {
    "data": "shapes(size=18, classes=4, images=24)",
    "epochs": 2,
    "batch_size": 16,
    "validation": 0.25,
    "precision": "fp32",
}


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a test away from the user's cache, data and colours, and off the network."""
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("HUNDREDFOLD_OFFLINE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("HUNDREDFOLD_DATA", raising=False)
    monkeypatch.delenv("HUNDREDFOLD_DEBUG", raising=False)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let tests that use torch share the cores; a test that does not never loads it."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, so that `runs` is the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def _server() -> Iterator[list[subprocess.Popen[str]]]:
    """Return where the process that carries out command lines is kept, and end it."""
    kept: list[subprocess.Popen[str]] = []
    yield kept
    for server in kept:
        server.communicate()


@pytest.fixture
def carry_out(
    _server: list[subprocess.Popen[str]],
    isolated: None,
) -> Callable[[Tasks], list[list[int]]]:
    """Return a function that carries out command lines as `children.py` has it."""
    if not _server:
        command = [sys.executable, "-W", "error", str(Path(__file__).with_name("children.py"))]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        _server.append(subprocess.Popen(command, env=environment, text=True, **pipes))
    (server,) = _server

    def call(tasks: Tasks) -> list[list[int]]:
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(json.dumps(tasks) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    return call


@pytest.fixture(scope="session")
def real_cifar100(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the official cifar-100-binary, or skip where it is not at hand."""
    script = _SHARED / "unpack_cifar100.py"
    if not script.is_file():
        pytest.skip(f"the real CIFAR-100 is not at hand: there is no {script}")
    folder = tmp_path_factory.mktemp("real_cifar100")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def photos_at_hand() -> Path:
    """Return the folder of photos for tests, or skip where it is not at hand."""
    folder = _SHARED / "photos"
    if not folder.is_dir():
        pytest.skip(f"the photos are not at hand: there is no {folder}")
    return folder


@pytest.fixture
def progress() -> Any:
    """Return a progress without a display; runs keep its lines in their log."""
    from hundredfold.training import Progress  # here, so that only its users load torch

    return Progress()


@pytest.fixture
def small_run(tmp_path: Path, progress: Any) -> Callable[..., Run]:
    """Return a function that trains a small recipe with some fields changed."""
    from hundredfold import engines, training

    def train(name: str = "a", **fields: object) -> Run:
        options = training.Options(Source(), threads=1, out=tmp_path / "runs", name=name)
        recipe = Recipe(**(SMALL | fields))
        return training.train(recipe, options, progress, engines.engine_for(recipe))

    return train


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """Return a function that makes finished and unfinished runs by hand."""

    def make(
        out: Path,
        what: Recipe,
        *,
        digest: str = "d1",
        status: str = "done",
        scores: Mapping[str, float] | None = None,
        name: str = "",
    ) -> Run:
        made = run.create(out, name or run.default_name(what, "digits"), what)
        cost = {"parameters": 10, "macs": 20, "epochs": 2, "seconds": 1.5}
        made.save_info({"status": status, "data": {"name": "digits", "digest": digest}, **cost})
        named = {
            key: {"value": value, "low": value, "high": value, "n": 9}
            for key, value in (scores or {}).items()
        }
        for split in {key.partition(".")[0] for key in named}:
            own = {key: score for key, score in named.items() if key.startswith(f"{split}.")}
            made.replace_scores(split, own)
        return made

    return make
