"""Options of what a run does not know, on the command line and in Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold as hf
from hundredfold.cli import main
from hundredfold.run import Run

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def made(small_run: Callable[..., Run]) -> Run:
    return small_run(validation=0.5)


def _json(capsys: Captured, *argv: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*argv, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def _images(run: Run) -> np.ndarray:
    from hundredfold import data

    return data.load(run.recipe.data, data.Source()).parts["test"]().pixels[:3]


def test_evaluate_fits_stores_and_reports_the_bounds(made: Run, capsys: Captured) -> None:
    folder = str(made.folder)
    answer = _json(capsys, "evaluate", folder, "--reject-at", "coverage=0.8", "--sets", "0.8")
    said = answer["calibration"]
    stored = json.loads((made.folder / "calibration.json").read_text())
    assert said["reject"]["rule"] == stored["reject"]["rule"] == "coverage=0.8"
    assert said["sets"]["threshold"] == stored["sets"]["threshold"]
    assert 0 < said["sets"]["covered"]["value"] <= 1 <= said["sets"]["mean_size"] <= 4
    again = _json(capsys, "evaluate", folder)
    assert again["calibration"] == said, "in force until others are chosen"
    assert again["test_evaluations"] == 2
    assert main(["evaluate", folder]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "coverage=0.8: " in printed and "sets for 80.0 %: " in printed


def test_the_command_and_python_say_the_same(made: Run, capsys: Captured) -> None:
    folder = str(made.folder)
    said = _json(capsys, "evaluate", folder, "--reject-at", "coverage=0.8", "--sets", "0.8")
    run = hf.load(folder)
    run.evaluate(reject_at="coverage=0.8", sets=0.8)
    assert run.bounds() == said["calibration"]
    hf.evaluate(folder, reject_at="coverage=0.8", sets=0.8)
    assert hf.load(folder).bounds() == said["calibration"]


def test_further_scores_are_asked_for_alone(made: Run, capsys: Captured) -> None:
    folder = str(made.folder)
    stored = [made.folder / f"{name}.json" for name in ("corruptions", "unlike")]
    _json(capsys, "evaluate", folder)
    assert not any(path.exists() for path in stored)
    _json(capsys, "evaluate", folder, "--corruptions", "--unlike")
    assert all(path.exists() for path in stored)
    before = [json.loads(path.read_text()) for path in stored]
    for path in stored:
        path.unlink()
    hf.evaluate(folder, corruptions=True, unlike=True)
    assert [json.loads(path.read_text()) for path in stored] == before
    assert made.info["test_evaluations"] == 3, "corrupted images are no evaluation of their own"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--reject-at", "accuracy"), "is no rule"),
        (("--reject-at", "coverage=2"), "is no rule"),
        (("--reject-at", "accuracy=0.9999"), "no bound reaches"),
        (("--sets", "1.5"), "is no coverage"),
        (("--sets", "0.999"), "needs more validation images"),
    ],
    ids=str,
)
def test_a_bound_is_refused_before_a_test_evaluation_is_counted(
    made: Run, capsys: Captured, options: tuple[str, ...], sentence: str
) -> None:
    labels = made.labels("validation")
    wrong = np.eye(4, dtype=np.float32)[(labels + (np.arange(len(labels)) % 2)) % 4]
    chance = np.random.default_rng(0).random(wrong.shape, np.float32)
    with made.writer():  # half of the images are wrong, whatever the order
        made.save_logits("validation", wrong + chance / 2, labels, made.rows("validation"))
    before = (made.folder / "run.json").read_bytes()
    assert main(["evaluate", str(made.folder), *options]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert main(["predict", str(made.folder), str(made.folder), *options]) == 2
    assert (made.folder / "run.json").read_bytes() == before
    assert made.logits("test") is None


def test_a_run_without_validation_has_no_bounds(
    small_run: Callable[..., Run], capsys: Captured
) -> None:
    run = small_run(validation=0.0, patience=0, select="last")
    assert main(["evaluate", str(run.folder), "--sets", "0.9"]) == 2
    assert "chosen on validation images" in " ".join(capsys.readouterr().err.split())
    assert run.info["test_evaluations"] == 0


def test_predictions_take_bounds_for_one_call_or_those_that_are_stored(
    made: Run, tmp_path: Path, capsys: Captured
) -> None:
    run, images = hf.load(made.folder), _images(made)
    plain = run.predict(images)
    assert all(one.rejected is None and one.label_set is None for one in plain)
    once = run.predict(images, reject_at="coverage=0.8", sets=0.8)
    assert "reject" not in json.loads((made.folder / "calibration.json").read_text())
    run.evaluate("validation", reject_at="coverage=0.8", sets=0.8)
    stored = run.predict(images)
    for one, other in zip(once, stored, strict=True):
        assert (one.rejected, one.label_set) == (other.rejected, other.label_set)
        assert one.rejected in (True, False)
        assert one.label in one.label_set
    from PIL import Image

    Image.fromarray(images[0]).save(tmp_path / "a.png")
    answer = _json(capsys, "predict", str(made.folder), str(tmp_path / "a.png"))["predictions"][0]
    assert answer.keys() >= {"label", "unknown", "rejected", "set"}
    assert answer["label"] in answer["set"] and 0 <= answer["unknown"] <= 1
    assert main(["predict", str(made.folder), str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("unknown,rejected,set")
