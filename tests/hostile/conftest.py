"""A worker that carries out the tenth of each harness, kept over the tests of a session."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Told = list[dict[str, Any]]
_TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_TESTS))  # the harnesses are a package of their own, `hostile`


@pytest.fixture(scope="session")
def _worker() -> Iterator[list[subprocess.Popen[str]]]:
    """Return where the worker is kept, and end it."""
    kept: list[subprocess.Popen[str]] = []
    yield kept
    for worker in kept:
        worker.communicate()


@pytest.fixture
def tenth(_worker: list[subprocess.Popen[str]], isolated: None) -> Callable[[str], Told]:
    """Return a function that carries out a tenth of a harness and returns what is told."""
    if not _worker:
        paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "hostile.worker"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        _worker.append(subprocess.Popen(command, env=environment, text=True, **pipes))
    (worker,) = _worker

    def call(harness: str) -> Told:
        assert worker.stdin is not None and worker.stdout is not None
        order = {"harness": harness, "seed": 0, "part": 0, "of": 10}
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
        told = []
        while line := worker.stdout.readline().strip():
            told.append(json.loads(line))
        return told

    return call
