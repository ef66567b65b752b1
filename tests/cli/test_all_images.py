"""Every verb after a training on all images, of which no score of validation can come."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hundredfold import data, studies
from hundredfold.cli import main
from hundredfold.data import Source
from hundredfold.executors import JobProgress
from hundredfold.run import Run
from hundredfold.studies import runner

Captured = pytest.CaptureFixture[str]
TRAIN = ["train", "digits", "--epochs", "2", "--precision", "fp32", "--threads", "1",
         "--set", "validation=0.0", "--set", 'select="last"', "--set", "limit=256"]  # fmt: skip
STUDY = """
base = "digits"
seeds = 1
[overrides]
epochs = 1
limit = 64
precision = "fp32"
validation = 0.0
select = "last"
[vary.two]
[vary.wide]
batch_size = 32
"""


def _said(capsys: Captured) -> str:
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out + err


def test_a_run_is_trained_listed_scored_shown_and_used(elsewhere: Path, capsys: Captured) -> None:
    assert main([*TRAIN, "--name", "all"]) == 0
    assert "no validation images were kept back" in _said(capsys)
    run = Run(elsewhere / "runs" / "all")
    assert run.info["data"]["validation"] == 0
    assert run.info["best_epoch"] == 2
    assert run.scores == {}
    assert all("validation.loss" not in row and "train.loss" in row for row in run.curve)

    assert main(["runs"]) == 0
    assert [*capsys.readouterr().out.splitlines()[1].split()[4:7]] == ["2", "–", "–"]
    assert main(["runs", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["validation"] is None

    assert main(["evaluate", "all", "--split", "validation"]) == 2
    said = _said(capsys)
    assert "'all' was trained on all images, so it has no validation images" in said
    assert "--split test" in said
    assert run.info["test_evaluations"] == 0
    assert run.scores == {}

    assert main(["report", "all"]) == 0
    assert "the run was trained on all images" in (run.folder / "report.html").read_text(
        encoding="utf-8"
    )

    found = data.load("digits", Source()).parts["test"]()
    Image.fromarray(found.pixels[found.indices[0]]).save(elsewhere / "a.png")
    capsys.readouterr()
    assert main(["predict", "all", "a.png", "--json"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)["predictions"]
    assert prediction["label"]

    assert main(["evaluate", "all", "--split", "test", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert {name.partition(".")[0] for name in scores} == {"test"}
    assert run.info["test_evaluations"] == 1
    assert main(["report", "all"]) == 0


def test_a_study_waits_for_the_test_split_and_trains_nothing_twice(
    elsewhere: Path, capsys: Captured
) -> None:
    (elsewhere / "all.toml").write_text(STUDY, encoding="utf-8")
    assert main(["study", "all.toml", "--threads", "1"]) == 2
    said = _said(capsys)
    assert "has no run to compare" in said
    assert "has no validation images" in said
    assert "--split test" in said
    runs = [path.parent for path in sorted((elsewhere / "runs").glob("*/run.json"))]
    runs = [folder for folder in runs if not folder.is_symlink()]
    assert len(runs) == 2
    for folder in runs:
        assert main(["evaluate", str(folder)]) == 0
    capsys.readouterr()
    assert main(["study", "all.toml", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "trained" not in err
    assert json.loads(out)["metric"] == "test.top_1"
    assert (elsewhere / "runs" / "all" / "report.html").is_file()


def test_where_a_training_stands_is_told_by_what_it_measures(elsewhere: Path) -> None:
    (elsewhere / "all.toml").write_text(STUDY, encoding="utf-8")
    member = studies.members(studies.variants(studies.load("all.toml")), 1)[0]
    longer = replace(member, recipe=member.recipe.override({"epochs": 4}))

    def told(node: str = "", of: studies.Member = member, **row: float) -> str:
        return runner.progress_text(of, JobProgress(node, (row,) if row else ()))

    assert told() == "starting"
    assert told("n1") == "n1, starting"
    seen = {"epoch": 1, "train.top_1": 0.25}
    assert told(**seen) == "epoch 1 of 1, 25.0 % of the training images"
    seen["validation.top_1"] = 0.5
    assert told(**seen) == "epoch 1 of 1, 50.0 %"
    assert told("n1", longer, **seen, seconds=2.0) == "n1, epoch 1 of 4, 50.0 %, 6.0 s left"
