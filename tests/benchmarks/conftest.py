"""The benchmarks as a user runs them, at toy size, and their modules to import."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test import a benchmark by its name, and the processes that it starts too."""
    monkeypatch.syspath_prepend(FOLDER)


@pytest.fixture
def benchmark(elsewhere: Path) -> Callable[..., tuple[list[str], dict[str, Any]]]:
    """Return a function that runs a benchmark in an empty folder: its table, its JSON."""

    def run(name: str, *options: str) -> tuple[list[str], dict[str, Any]]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(FOLDER / f"{name}.py"), *options]
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        *table, line = done.stdout.splitlines()
        facts = json.loads(line)
        assert facts["benchmark"] == name
        assert facts["torch"] and facts["processor"] and facts["cores"] >= 1
        return table, facts

    return run
