"""Studies from Python: as by the command, from a file or from keywords alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold as hf
from hundredfold import cli

ASKED: dict[str, Any] = {
    "vary": {"cnn": "digits", "small": {"model": "resnet(depth=20)", "batch_size": 32}},
    "data": "digits",
    "epochs": 1,
    "limit": 64,
    "validation": 0.1,
    "precision": "fp32",
    "batch_size": 16,
    "seeds": 1,
    "threads": 1,
    "progress": "none",
}


def test_a_study_of_keywords_is_trained_once_and_shows_itself(
    elsewhere: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[dict[str, Any]] = []
    study = hf.study(**ASKED | {"jobs": 2, "progress": events.append})
    assert capfd.readouterr() == ("", "")
    assert list(study.runs) == ["cnn", "small"]
    runs = [many[0] for many in study.runs.values()]
    assert [run.status for run in runs] == ["done", "done"]
    assert str(runs[1].recipe.model).startswith("resnet(depth=20")
    assert all(run.recipe.epochs == 1 and run.recipe.limit == 64 for run in runs)
    assert sum(event["event"] == "message" for event in events) == 2
    assert events[-1]["event"] == "end" and any(e["event"] == "status" for e in events)
    assert study.folder.parent == Path("runs") and (study.folder / "report.html").is_file()
    assert study.comparison["metric"] == "validation.top_1"
    assert "cnn" in repr(study) and "small" in repr(study)

    events.clear()
    again = hf.study(**ASKED | {"progress": events.append})
    assert again.folder == study.folder
    assert not [event for event in events if event["event"] == "message"]
    tested = study.evaluate("test")
    assert set(tested) == {run.name for run in runs}
    assert runs[0].info["test_evaluations"] == 1
    assert (elsewhere / "runs").is_dir()


def test_a_study_file_is_the_same_study_in_python_and_by_command(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "tiny.toml").write_text(
        'base = "digits"\nseeds = 1\n[overrides]\nepochs = 1\nlimit = 64\nprecision = "fp32"\n'
        "batch_size = 16\n[vary.a]\n[vary.b]\nseed = 1\n".replace("seed = 1\n", "patience = 3\n"),
        encoding="utf-8",
    )
    study = hf.study("tiny.toml", threads=1, progress="none")
    assert cli.main(["study", "tiny.toml", "--threads", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["study"] == str(study.folder) == "runs/tiny"
    assert found["systems"] == study.comparison["systems"]


def test_runs_that_fail_are_left_out_with_a_warning(elsewhere: Path) -> None:
    wrong = ASKED | {
        "vary": {"a": {}, "b": {"optimizer": "sgd(lr=1e6)"}},
        "epochs": 3,
        "name": "two",
    }
    with pytest.warns(hf.HundredfoldWarning, match="1 of 2 runs failed and were left out"):
        study = hf.study(**wrong)
    assert list(study.runs) == ["a"] and study.name == "two"
    (left_out,) = study.left_out
    assert left_out["label"] == "b" and "not finite" in left_out["reason"]
    assert (elsewhere / "runs" / "two").is_dir()


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("", {}, "nothing varies"),
        ("quickstart", {"vary": {"a": {}}}, "which sets it itself"),
        ("quickstar", {}, "no study is called 'quickstar'"),
        ("", {"vary": {"a": "no-such-recipe"}}, "no recipe is called 'no-such-recipe'"),
        ("", {"vary": {"a": {}}, "epoch": 2}, "there is no option 'epoch'"),
        ("", {"vary": {"a": {}}, "data": (np.zeros(1), [1])}, "cannot see images in Python"),
    ],
)
def test_a_mistake_is_an_exception_and_nothing_is_written(
    name: str, options: dict[str, Any], sentence: str, elsewhere: Path
) -> None:
    with pytest.raises(hf.UsageError) as caught:
        hf.study(name, **options)
    assert sentence in f"{caught.value.message} {caught.value.found}"
    assert not (elsewhere / "runs").exists()
