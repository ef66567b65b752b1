"""Watching: the page follows the files of a folder, here or in a copy, and ends with the run."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from hundredfold.api import watching
from hundredfold.cli import main
from hundredfold.errors import CheckError, DataError, UsageError
from hundredfold.executors import JobProgress
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.run.standing import standing, writer
from hundredfold.studies.ongoing import Elsewhere

MakeRun = Callable[..., Run]
FAST = {"every": 0.1, "wait": 20.0}


def _row(epoch: int) -> str:
    accuracies = {"train.top_1": 0.1 * epoch, "validation.top_1": 0.08 * epoch}
    losses = {"train.loss": 1 / epoch, "validation.loss": 1 / epoch}
    return json.dumps({"epoch": epoch, "seconds": 2.0 * epoch, "lr": 0.1, **losses, **accuracies})


@pytest.fixture
def running(elsewhere: Path, make_run: MakeRun) -> Run:
    """Return a run of ten epochs of which three are done, whose process is this one."""
    made = make_run(Path("runs"), Recipe(epochs=10), name="one", status="running")
    made.save_info(made.info | {"status": "running", "writer": writer()})
    made.append("curve.jsonl", "".join(_row(k) + "\n" for k in (1, 2, 3)))
    return made


def _texts(name: str, **options: Any) -> tuple[list[str], dict[str, Any]]:
    texts: list[str] = []

    class Lines:
        live = True

        def show(self, event: Any) -> None:
            texts.append(event.get("text", ""))

    return texts, watching.watch(name, Lines(), **(FAST | options))


def test_a_standing_is_what_the_files_say(running: Run) -> None:
    now = standing(running)
    assert (now.status, now.epoch, now.epochs) == ("running", 3, 10)
    assert (now.accuracy, now.best) == pytest.approx((0.24, 0.24))
    assert now.remaining == pytest.approx(14.0), "seven epochs of two seconds"
    assert now.progress == pytest.approx(0.3)


def _with(run: Run, **changes: Any) -> Run:
    path = run.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return run


def test_who_writes_a_run_decides_whether_it_goes_on(running: Run) -> None:
    """A process here, one on another machine, one that is gone; a lock counts above all."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process, wanted in (
        ({"host": platform.node(), "pid": os.getpid()}, ("running", "elsewhere on this machine")),
        ({"host": "far", "pid": 1}, ("running", "on far")),
        ({"host": platform.node(), "pid": gone.pid}, ("stopped", "process gone")),
    ):
        now = standing(_with(running, writer=process))
        assert (now.status, now.reason) == wanted
    with running.writer():
        assert standing(running).status == "running"


def test_the_page_follows_a_run_to_its_end(running: Run) -> None:
    def go_on() -> None:
        for epoch in range(4, 11):
            running.append("curve.jsonl", _row(epoch) + "\n")
            time.sleep(0.15)
        _with(running, status="done", reason="all epochs done")

    with running.writer():
        thread = threading.Thread(target=go_on)
        texts, facts = _texts("one", first=lambda _page: thread.start())
        thread.join()
    assert facts["status"] == "done" and facts["epoch"] == 10
    lines = [text for text in texts if "running" in text]
    assert len(lines) > 2 and "epoch 3/10" in lines[0] and "top-1 24.00%" in lines[0]
    page = (running.folder / "live.html").read_text()
    assert "The training has ended." in page and "Done" in page and "80.00" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    names = {path.name for path in running.folder.iterdir()}
    assert {"live.html", "live.js"} <= names and not [n for n in names if n.endswith(".part")]


def test_the_number_in_the_page_is_that_of_its_beat(running: Run) -> None:
    _with(running, status="stopped")
    _texts("one")
    text = (running.folder / "live.html").read_text().replace("&quot;", '"')
    number = json.loads(text.partition('data-live="')[2].partition('">')[0])["number"]
    assert (running.folder / "live.js").read_text().startswith(f"hundredfold({number}, ")


def test_a_training_elsewhere_that_falls_silent_is_lost(running: Run) -> None:
    _with(running, writer={"host": "far", "pid": 1})
    with pytest.raises(CheckError, match=r"has not changed for 0\.5 s"):
        _texts("one", wait=0.5)


def test_a_file_that_comes_by_halves_is_waited_for(running: Run) -> None:
    whole = _with(running, status="done").folder / "run.json"
    text = whole.read_text()
    whole.write_text(text[: len(text) // 2])
    timer = threading.Timer(0.5, lambda: whole.write_text(text))
    timer.start()
    assert _texts("one")[1]["status"] == "done"
    timer.join()


def test_a_damaged_run_and_a_link_are_one_sentence(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_HALVES", 0.2)
    (running.folder / "run.json").write_text("{")
    with pytest.raises(DataError, match="cannot read"):
        _texts("one")
    (running.folder / "figures").symlink_to("/tmp")
    with pytest.raises(DataError, match="is a link"):
        _texts("one")
    with pytest.raises(UsageError, match="there is no run"):
        _texts("nothing")
    with pytest.raises(UsageError, match="every = 0"):
        _texts("one", every=0.0)


def test_a_study_is_followed_from_its_plan(running: Run, make_run: MakeRun) -> None:
    made = make_run(Path("runs"), Recipe(epochs=10, seed=1), name="two")
    made.append("curve.jsonl", _row(1) + "\n" + _row(2) + "\n")
    members = [
        {"run": name, "label": "cnn", "seed": seed}
        for seed, name in enumerate(("one", "two", "not-yet"))
    ]
    folder = Path("runs/study")
    folder.mkdir()
    plan = {"title": "Mine", "status": "running", "writer": writer(), "members": members}
    (folder / "plan.json").write_text(json.dumps(plan))
    done = threading.Timer(0.6, lambda: (folder / "plan.json").write_text(
        json.dumps(plan | {"status": "done"})))  # fmt: skip
    done.start()
    texts, facts = _texts("study")
    done.join()
    assert [run["status"] for run in facts["runs"]] == ["running", "done", "waiting"]
    assert "1 of 3 done  cnn, seed 0: epoch 3, 24.0 %" in texts[1]
    page = (folder / "live.html").read_text()
    assert "3 runs of 1 variant: 1 done, 1 running and 1 waiting." in page
    assert 'class="chart wide"' in page


def test_trainings_on_other_machines_are_shown_before_their_folders_come(elsewhere: Path) -> None:
    folder = Path("runs/study")
    folder.mkdir(parents=True)
    members = [{"run": name, "label": "cnn", "seed": seed} for seed, name in enumerate("ab")]
    plan = {"status": "running", "writer": writer(), "members": members}
    (folder / "plan.json").write_text(json.dumps(plan))
    curve = tuple(json.loads(_row(epoch)) for epoch in (1, 2))
    Elsewhere(folder).tell({"a": (JobProgress("node-7", curve), 8), "b": (JobProgress(), 8)})
    done = threading.Timer(0.6, lambda: (folder / "plan.json").write_text(
        json.dumps(plan | {"status": "stopped"})))  # fmt: skip
    done.start()
    _, facts = _texts("study")
    done.join()
    there, waiting = facts["runs"]
    assert (there["status"], there["reason"], there["epoch"]) == ("running", "on node-7", 2)
    assert there["remaining"] == pytest.approx(6 / 2 * curve[-1]["seconds"])
    assert waiting["status"] == "waiting"
    assert "on node-7" in (folder / "live.html").read_text()


def test_a_study_writes_its_plan_from_the_start(elsewhere: Path) -> None:
    Path("tiny.toml").write_text(
        'base = "digits"\nseeds = 1\n[overrides]\nepochs = 1\nlimit = 64\nprecision = "fp32"\n'
        "[vary.a]\n[vary.b]\nbatch_size = 32\n"
    )
    assert main(["study", "tiny.toml", "--jobs", "2"]) == 0
    plan = json.loads(Path("runs/tiny/plan.json").read_text())
    assert (plan["status"], len(plan["members"])) == ("done", 2)
    assert all(Path("runs", member["run"], "run.json").is_file() for member in plan["members"])
    assert _texts("tiny")[1]["status"] == "done"


def test_ctrl_c_ends_it_with_130_and_a_whole_page(running: Run) -> None:
    command = [sys.executable, "-m", "hundredfold", "watch", "one", "--every", "0.1"]
    with (
        running.writer(),
        subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        deadline = time.monotonic() + 60
        while not (running.folder / "live.js").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert psutil.pid_exists(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "error: interrupted\n"
    assert (running.folder / "live.html").read_text().endswith("</html>\n")
    assert not list(running.folder.glob(".*.part"))
