"""Trainings for benchmarks: the command as a user gives it, timed from outside."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _ours import CLI, run, t_interval


def hundredfold(*arguments: str, before: str = "") -> dict[str, Any]:
    """Run a verb in a process of its own and return its JSON object.

    before: Python that is run first there. Raises RuntimeError with what it said to stderr.
    """
    command = [sys.executable, "-c", CLI.format(before=before), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"hundredfold {' '.join(arguments)}: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def train(out: Path, name: str, *arguments: str, before: str = "") -> dict[str, Any]:
    """Train a run, unless there is a finished one of that name, and return what it left.

    "wall_seconds": of the whole command, from starting Python to its end, kept in a file
    beside the runs, so that a benchmark of many hours can be stopped and given again.
    Raises RuntimeError where the finished run was asked for in another way.
    """
    note, asked = out / f"{name}.asked.json", [*arguments, before]
    if not note.is_file():
        began = time.perf_counter()
        hundredfold("train", *arguments, "--out", str(out), "--name", name, before=before)
        taken = {"asked": asked, "wall_seconds": time.perf_counter() - began}
        note.write_text(json.dumps(taken), encoding="utf-8")
    noted = json.loads(note.read_text(encoding="utf-8"))
    if noted["asked"] != asked:
        raise RuntimeError(f"{out / name} was trained with other options; give another --out")
    return read(out / name) | {"wall_seconds": noted["wall_seconds"]}


def read(folder: Path) -> dict[str, Any]:
    """Return seconds and accuracies of a finished run. Raises RuntimeError for another."""
    trained = run.open_run(str(folder))
    if trained.info["status"] != "done":
        raise RuntimeError(f"the run {str(folder)!r} is not finished")
    scores = {key: trained.scores[key]["value"] for key in trained.scores if key.endswith(".top_1")}
    return {
        "run": trained.name,
        "seed": trained.recipe.seed,
        "seconds": trained.info["seconds"],
        "images_per_second": trained.info.get("images_per_second"),
        "validation": scores.get("validation.top_1"),
        "test": scores.get("test.top_1"),
    }


def evaluate_on_test(folder: Path, *arguments: str) -> float:
    """Score a run on the test split, which its run.json counts; return top-1."""
    result = hundredfold("evaluate", str(folder), "--split", "test", *arguments)
    return float(result["scores"]["test.top_1"]["value"])


def mean(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean of values with its 95 % interval, which needs two of them, and n."""
    measured = [value for value in values if value is not None]
    low, high = t_interval(measured) if len(measured) > 1 else (None, None)
    middle = statistics.fmean(measured) if measured else None
    return {"value": middle, "low": low, "high": high, "n": len(measured)}


def worded(estimate: dict[str, Any], places: int = 1) -> str:
    """Return a mean of shares in percent: "52.1 % (51.6-52.6, n = 3)"."""
    if estimate["value"] is None:
        return "-"
    text = f"{estimate['value']:.{places}%}".replace("%", " %")
    if estimate["low"] is None:
        return f"{text} (n = {estimate['n']})"
    low, high = (f"{100 * estimate[bound]:.{places}f}" for bound in ("low", "high"))
    return f"{text} ({low} to {high}, n = {estimate['n']})"
