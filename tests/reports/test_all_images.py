"""The page of a run that trained on all images: nothing is said of validation."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hundredfold import comparison, reports
from hundredfold.data import DataSet, Source
from hundredfold.run import Run

Build = Callable[..., Run]


def _all_images(run: Run) -> Run:
    """Take from a run what there is of validation."""
    rows = [{k: v for k, v in r.items() if not k.startswith("validation.")} for r in run.curve]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (run.folder / "curve.jsonl").write_text(text, encoding="utf-8")
    recipe = (run.folder / "recipe.toml").read_text(encoding="utf-8")
    recipe = recipe.replace('"validation.loss"', '"last"').replace(
        "epochs     = 100", "epochs = 30"
    )
    (run.folder / "recipe.toml").write_text(recipe + "validation = 0.0\n", encoding="utf-8")
    info = run.info
    info |= {"best_epoch": info["epochs"], "reason": "all epochs done"}
    info["data"]["validation"] = 0
    run.save_info(info)
    return run


def _words(page: Path) -> str:
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_before_the_test_split_is_opened_there_is_no_score(
    build: Build, digits: DataSet, source: Source, tmp_path: Path
) -> None:
    run = _all_images(build(tmp_path / "all", digits, splits=()))
    page = reports.write_run(run, source)
    words = _words(page)
    for said in (
        "There is no score yet: the run was trained on all images.",
        "The test split is still sealed",
        "on the training images (augmented, while the weights were still changing)",
        "No split has been scored yet.",
        "All images were trained on, and none are kept for validation: there is no score until",
    ):
        assert said in words, said
    assert "validation images" not in words
    assert "Validation loss" not in words
    assert not re.search(r"\b(NaN|nan|None|inf)\b", words)
    for name in ("curve-top_1.svg", "curve-loss.svg"):
        drawing = (run.folder / "figures" / name).read_text(encoding="utf-8")
        assert "validation" not in drawing
        assert ">train<" in drawing
        assert not re.search(r"\bnan\b", drawing)


def test_once_the_test_split_is_opened_it_alone_speaks(
    build: Build, digits: DataSet, source: Source, tmp_path: Path
) -> None:
    run = _all_images(build(tmp_path / "all", digits, splits=("test",)))
    words = _words(reports.write_run(run, source))
    assert re.search(r"% accuracy on [\d,]+ test images \(95 % interval", words)
    assert "and none are kept for validation: the test split is the only measure" in words
    assert "expected calibration error is" in words
    assert "the temperature that fits" not in words
    assert "validation images" not in words
    assert (run.folder / "figures" / "reliability.svg").is_file()


def test_a_curve_with_validation_has_both_lines_still(digits_run: Run) -> None:
    drawing = (digits_run.folder / "figures" / "curve-loss.svg").read_text(encoding="utf-8")
    assert ">train<" in drawing
    assert ">validation<" in drawing
    assert "Loss of training and validation images" in drawing
    words = _words(digits_run.folder / "report.html")
    assert "Train top-1 accuracy Train loss Validation top-1 accuracy Validation loss" in words


@pytest.mark.parametrize("mixed", [False, True])
def test_a_study_draws_the_curves_there_are(
    build: Build, digits: DataSet, source: Source, tmp_path: Path, mixed: bool
) -> None:
    members, values = [], {}
    for label, accuracy in (("a", 0.8), ("b", 0.9)):
        run = build(tmp_path / label, digits, splits=("test",), accuracy=accuracy)
        if not (mixed and label == "b"):
            _all_images(run)
        values[label] = {0: run.scores["test.top_1"]["value"]}
        members.append({"label": label, "seed": 0, "run": label})
    folder = tmp_path / "study"
    folder.mkdir()
    stored = {"title": "Both", "metric": "test.top_1", "members": members}
    (folder / "study.json").write_text(json.dumps(stored), encoding="utf-8")
    compared = comparison.compare(values, metric="test.top_1").to_json()
    (folder / "comparison.json").write_text(json.dumps(compared), encoding="utf-8")
    words = _words(reports.write_study(folder, source))
    assert "compared by test top-1 accuracy" in words
    assert not re.search(r"\b(NaN|nan|None|inf)\b", words)
    drawn = {path.stem for path in (folder / "figures").glob("curve-*.svg")}
    wanted = {"curve-train-top_1", "curve-train-loss"}
    if mixed:
        wanted |= {"curve-validation-top_1", "curve-validation-loss"}
        drawing = (folder / "figures" / "curve-validation-loss.svg").read_text(encoding="utf-8")
        assert ">b<" in drawing
        assert ">a<" not in drawing
    assert drawn == wanted
