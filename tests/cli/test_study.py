"""`hundredfold study`: plan, train what is missing, go on after a signal, compare."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hundredfold import data, run, studies
from hundredfold.cli import main
from hundredfold.data import Source
from hundredfold.run import Run
from hundredfold.studies import plan

MakeRun = Callable[..., Run]
Captured = pytest.CaptureFixture[str]

TINY = """
title = "Tiny"
base = "digits"
seeds = 1
[overrides]
epochs = 1
limit = 64
precision = "fp32"
[vary.two]
[vary.wrong]
optimizer = "sgd(lr=1e6)"
"""
LONG = TINY.replace("epochs = 1", "epochs = 100000").replace("1e6", "0.001")


@pytest.fixture
def tiny(elsewhere: Path) -> Path:
    path = elsewhere / "tiny.toml"
    path.write_text(TINY.replace('optimizer = "sgd(lr=1e6)"', "batch_size = 32"), encoding="utf-8")
    return path


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command of our own, and leave nothing of it behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hundredfold", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        for child in [*psutil.Process(process.pid).children()] if process.poll() is None else []:
            child.kill()
        process.kill()
        process.communicate()


def test_what_is_missing_is_trained_once(tiny: Path, capsys: Captured) -> None:
    assert main(["study", str(tiny), "--jobs", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert {system["label"] for system in found["systems"]} == {"two", "wrong"}
    assert len(found["runs"]) == 2
    assert err.count("trained") == 2
    folder = Path(found["study"])
    assert folder == Path("runs/tiny")
    for name in ("study.toml", "study.json", "comparison.json", "report.html"):
        assert (folder / name).is_file()
    for one in run.all_runs():
        assert one.info["status"] == "done"
        assert one.info["test_evaluations"] == 0
        assert (one.folder / "report.html").is_file()
        assert one.name == run.default_name(one.recipe, "digits")

    assert main(["study", str(tiny)]) == 0
    out, err = capsys.readouterr()
    assert "2 runs finished, 0 to train" in out
    assert "trained" not in err
    assert "95 % interval" in out


def test_a_member_that_fails_is_left_out_with_its_reason(elsewhere: Path, capsys: Captured) -> None:
    path = elsewhere / "tiny.toml"
    path.write_text(TINY.replace("epochs = 1", "epochs = 3"), encoding="utf-8")
    assert main(["study", str(path), "--jobs", "2"]) == 5
    out, err = capsys.readouterr()
    assert "error: 1 of 2 runs failed and were left out" in err
    assert "failed   wrong, seed 0: the lo" in err
    assert "two" in out
    stored = json.loads((elsewhere / "runs/tiny/study.json").read_text(encoding="utf-8"))
    (left_out,) = stored["left_out"]
    assert left_out["label"] == "wrong"
    assert "not finite" in left_out["reason"]
    assert [member["label"] for member in stored["members"]] == ["two"]


def test_a_signal_saves_every_run_and_leaves_no_orphan(elsewhere: Path, capsys: Captured) -> None:
    (elsewhere / "long.toml").write_text(LONG, encoding="utf-8")
    with started("study", "long.toml", "--jobs", "2") as process:
        deadline = time.monotonic() + 120
        while not all(one.curve for one in run.all_runs()) or len(run.all_runs()) < 2:
            assert time.monotonic() < deadline, process.communicate()
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert "to resume: hundredfold study long.toml" in err
    assert len(children) >= 2
    assert not [child for child in children if child.is_running()]
    assert [one.info["status"] for one in run.all_runs()] == ["stopped", "stopped"]

    assert main(["study", "long.toml", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["unfinished"]) == 2
    assert plan["missing"] == []


def test_a_dry_run_measures_what_is_missing_and_writes_nothing(
    tiny: Path, make_run: MakeRun, capsys: Captured
) -> None:
    members = studies.members(studies.variants(studies.load(str(tiny))), 2)
    for member in members:
        if member.label == "two":
            make_run(Path("runs"), member.recipe, digest=data.load("digits", Source()).digest)
    assert main(["study", str(tiny), "--dry-run", "--seeds", "2", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (len(plan["finished"]), len(plan["missing"])) == (2, 2)
    assert plan["seconds"] > 0
    assert plan["bytes"] > 0
    assert len(run.all_runs()) == 2
    assert not Path("runs/tiny").exists()


def test_runs_that_are_there_need_no_training(
    tiny: Path, make_run: MakeRun, capsys: Captured
) -> None:
    digest = data.load("digits", Source()).digest
    members = studies.members(studies.variants(studies.load(str(tiny))), 3)
    for member in members:
        make_run(
            Path("runs"),
            member.recipe,
            digest=digest,
            scores={"validation.top_1": 0.9 + member.seed / 100},
        )
    assert main(["study", str(tiny), "--seeds", "3"]) == 0
    out = capsys.readouterr().out
    assert "6 runs finished, 0 to train" in out
    assert "91.00 ± 1.00 %" in out
    assert "not distinguishable" in out
    assert "runs/tiny/report.html" in out


def test_a_run_on_other_data_does_not_take_the_name(tiny: Path, make_run: MakeRun) -> None:
    what = studies.load(str(tiny))
    first, second = studies.members(studies.variants(what), 1)
    made = make_run(Path("runs"), first.recipe, digest="other")
    planned = plan.make(what.model_copy(update={"seeds": 1}), {}, Source(), Path("runs"), [])
    assert str(planned.run_folder(first)) == f"{made.folder}-2"
    assert planned.run_folder(second).name == run.default_name(second.recipe, "digits")


def test_concurrent_runs_divide_the_threads() -> None:
    assert plan.options(None, "cpu", 8, 3)[-2:] == ["--threads", "2"]
    assert plan.options(None, "cpu", 8, 1)[-2:] == ["--threads", "8"]
    assert "--threads" not in plan.options(None, "cpu", 0, 1)


def test_a_study_does_not_write_into_a_run(tiny: Path, make_run: MakeRun, capsys: Captured) -> None:
    member = studies.members(studies.variants(studies.load(str(tiny))), 1)[0]
    make_run(Path("runs"), member.recipe, name="tiny")
    assert main(["study", str(tiny)]) == 2
    assert "'runs/tiny' is a run" in capsys.readouterr().err


def test_scratch_and_transfer_stand_in_one_study(elsewhere: Path, capsys: Captured) -> None:
    change = (
        'model = "mobilenet_v2"\nweights = "imagenet"\n'
        'strategy = "linear_probe(input_size=32)"\naugment = "none"'
    )
    text = TINY.replace('optimizer = "sgd(lr=1e6)"', change).replace("wrong", "transfer")
    (elsewhere / "both.toml").write_text(text, encoding="utf-8")
    assert main(["study", "both.toml", "--threads", "1"]) == 0
    assert "left out transfer: the weights of mobilenet_v2" in capsys.readouterr().out
    left = json.loads(Path("runs/both/study.json").read_text(encoding="utf-8"))["left_out"]
    assert [one["label"] for one in left] == ["transfer"]
    assert "weights of mobilenet_v2" in left[0]["reason"]

    from safetensors.torch import save_file

    from hundredfold import models
    from hundredfold.backbones import BACKBONES

    network = models.build(BACKBONES["mobilenet_v2"].network, classes=2, size=32, seed=0)
    tensors = {n: t.contiguous() for n, t in network.state_dict().items() if "scale." not in n}
    save_file(tensors, elsewhere / "mobilenet_v2.safetensors")
    command = ["study", "both.toml", "--threads", "1", "--weights", str(elsewhere)]
    assert main(command) == 0
    assert "1 to train" in capsys.readouterr().out
    assert main(command) == 0
    assert "2 runs finished, 0 to train" in capsys.readouterr().out


def test_a_file_of_weights_serves_the_backbone_that_it_is_named_after(
    elsewhere: Path, capsys: Captured
) -> None:
    """The other transfer is left out, exit 0; a study of that alone says so with exit 4."""
    from safetensors.torch import save_file

    from hundredfold import models
    from hundredfold.backbones import BACKBONES

    network = models.build(BACKBONES["mobilenet_v2"].network, classes=2, size=32, seed=0)
    tensors = {n: t.contiguous() for n, t in network.state_dict().items() if "scale." not in n}
    folder = elsewhere / "weights" / "mobilenet"
    folder.mkdir(parents=True)
    save_file(tensors, folder / "mobilenet_v2-notop.safetensors")
    common = 'weights = "imagenet"\nstrategy = "linear_probe(input_size=32)"\naugment = "none"\n'
    text = TINY.partition("[vary.two]")[0]
    other = f'[vary.other]\nmodel = "resnet18"\n{common}'
    both = f'{text}[vary.mine]\nmodel = "mobilenet_v2"\n{common}{other}'
    (elsewhere / "both.toml").write_text(both, encoding="utf-8")
    (elsewhere / "other.toml").write_text(f"{text}{other}[vary.b]\nbase='digits'\n{common}"
        'model = "resnet34"\n', encoding="utf-8")  # fmt: skip
    for weights in (folder / "mobilenet_v2-notop.safetensors", folder, folder.parent):
        command = ["study", "both.toml", "--threads", "1", "--weights", str(weights), "--json"]
        assert main(command) == 0
        facts = json.loads(capsys.readouterr().out)
        assert [one["label"] for one in facts["left_out"]] == ["other"]
        assert "resnet18" in facts["left_out"][0]["reason"]
        assert len(facts["runs"]) == 1
    assert main(["study", "other.toml", "--threads", "1"]) == 4
    assert "has no weights" in capsys.readouterr().err
