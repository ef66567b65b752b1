"""A real search, small: from Python, killed and continued, and what it leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import hundredfold as hf
from hundredfold import recipes
from hundredfold.run import Run, surplus

pytest.importorskip("optuna", reason="the extra tune is not installed")

ASKED: dict[str, Any] = {
    "data": "shapes(size=18, classes=4, images=40)",
    "epochs": 3,
    "batch_size": 16,
    "validation": 0.25,
    "precision": "fp32",
    "augment": "pad_crop(pixels=1)",
    "patience": 0,
    "trials": 3,
    "threads": 1,
    "progress": "none",
}
FLAGS = [
    "tune", "simple-cnn", "--data", ASKED["data"], "--trials", "3", "--threads", "1", "--json",
    *(word for key in ("epochs", "batch_size", "validation", "patience") for word in
      ("--set", f"{key}={ASKED[key]}")),
    "--set", "precision=fp32", "--set", "augment=pad_crop(pixels=1)",
]  # fmt: skip


def trials_of(study: Path) -> list[dict[str, Any]]:
    stored = json.loads((study / "search.json").read_text())
    assert stored["status"] == "done"
    return list(stored["trials"])


def test_a_search_is_killed_goes_on_and_ends_honestly(elsewhere: Path) -> None:
    command = [sys.executable, "-m", "hundredfold", *FLAGS]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    curve = elsewhere / "runs" / "tune-simple-cnn" / "trials" / "trial-000" / "curve.jsonl"
    limit = time.monotonic() + 60
    while not (curve.exists() and curve.stat().st_size) and time.monotonic() < limit:
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()

    study = hf.tune("simple-cnn", **ASKED)
    assert study.folder == Path("runs/tune-simple-cnn")
    trials = trials_of(study.folder)
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert {trial["state"] for trial in trials} <= {"done", "stopped"}
    best = max((t for t in trials if t["state"] == "done"), key=lambda t: t["score"])
    for trial in trials:
        run = Run(study.folder / "trials" / trial["run"])
        won = trial["number"] == best["number"]
        assert run.info["search"] == ("won" if won else "lost")
        assert run.best().exists() == won and run.last().exists() == won
        assert run.curve and [row["epoch"] for row in run.curve] == list(
            range(1, len(run.curve) + 1)
        )
        assert run.info["status"] == "done" and run.info["test_evaluations"] == 0
        assert surplus.find(run) == []

    labels = study.runs
    assert {len(runs) for runs in labels.values()} == {3} and "untuned" in labels
    seeds = {run.recipe.seed for runs in labels.values() for run in runs}
    assert seeds == {0, 1, 2} and Run(study.folder / "trials" / "trial-000").recipe.seed == 1000
    assert study.comparison["metric"] == "validation.top_1"
    tuned = recipes.load(str(study.folder / "tuned.toml"))
    (winner,) = [t for t in trials if t["number"] == best["number"]]
    assert tuned.optimizer.options["lr"] == winner["values"]["optimizer.lr"]
    assert tuned.digest in {run.recipe.digest for runs in labels.values() for run in runs}
    page = (study.folder / "report.html").read_text()
    for heading in ("The search", "What was tried", "What mattered", "Curves of the trials"):
        assert f"<h2>{heading}</h2>" in page

    journal = (study.folder / "search.journal").read_bytes()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["winner"] == best["number"] and answer["trials"] == 3
    assert "untuned" in answer["sentences"][-1]
    assert (study.folder / "search.journal").read_bytes() == journal  # nothing was done again
    refused = subprocess.run([*command, "--trials", "9"], capture_output=True, text=True)
    assert refused.returncode == 2
    with pytest.raises(hf.UsageError, match="begun with other options"):
        hf.tune("simple-cnn", **ASKED | {"trials": 5})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": None}, "needs a bound"),
        ({"trials": 0}, "trials is a number from 1"),
        ({"budget": "soon"}, "not a budget of time"),
        ({"seed": 3}, "sets the seed itself"),
        ({"folds": 5}, "sets the folds itself"),
        ({"validation": 0.0, "select": "last"}, "validation = 0"),
        ({"data": ([], [])}, "separate processes"),
        ({"space": "none.toml"}, "no space file"),
        ({"jobs": 2, "cluster": "local"}, "--jobs is for this machine"),
        ({"trails": 3}, "no option"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_leaves_nothing(
    elsewhere: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(hf.UsageError) as caught:
        hf.tune("simple-cnn", **ASKED | options)
    assert words in str(caught.value)
    assert not list(elsewhere.iterdir())
