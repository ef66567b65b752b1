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
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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
    known = json.loads(note.read_text(encoding="utf-8"))
    if known["asked"] != asked:
        raise RuntimeError(f"{out / name} was trained with other options; give another --out")
    return read(out / name) | {"wall_seconds": known["wall_seconds"]}


def read(folder: Path) -> dict[str, Any]:
    """Return seconds and accuracies of a finished run. Raises RuntimeError for another."""
    made = run.open_run(str(folder))
    if made.info["status"] != "done":
        raise RuntimeError(f"the run {str(folder)!r} is not finished")
    scores = {key: made.scores[key]["value"] for key in made.scores if key.endswith(".top_1")}
    return {
        "run": made.name,
        "seed": made.recipe.seed,
        "seconds": made.info["seconds"],
        "images_per_second": made.info.get("images_per_second"),
        "validation": scores.get("validation.top_1"),
        "test": scores.get("test.top_1"),
    }


def look_at_test(folder: Path, *arguments: str) -> float:
    """Score a run on the test split, which its run.json counts; return top-1."""
    found = hundredfold("evaluate", str(folder), "--split", "test", *arguments)
    return float(found["scores"]["test.top_1"]["value"])


def mean(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean of values with its 95 % interval, which needs two of them, and n."""
    known = [value for value in values if value is not None]
    between = t_interval(known) if len(known) > 1 else (None, None)
    middle = statistics.fmean(known) if known else None
    return {"value": middle, "low": between[0], "high": between[1], "n": len(known)}


def worded(found: dict[str, Any], places: int = 1) -> str:
    """Return a mean of shares in percent: "52.1 % (51.6-52.6, n = 3)"."""
    if found["value"] is None:
        return "-"
    text = f"{found['value']:.{places}%}".replace("%", " %")
    if found["low"] is None:
        return f"{text} (n = {found['n']})"
    low, high = (f"{100 * found[bound]:.{places}f}" for bound in ("low", "high"))
    return f"{text} ({low} to {high}, n = {found['n']})"
