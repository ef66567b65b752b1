"""Sections on what a run does not know: numbers as scored, sentences where files are missing."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle

from hundredfold import calibration, reports
from hundredfold.data import DataSet, Source, load
from hundredfold.reports.exhibits.corruptions import corruptions
from hundredfold.reports.exhibits.rejection import rejection
from hundredfold.reports.exhibits.two_classes import two_classes
from hundredfold.reports.exhibits.variant_corruptions import variant_corruptions
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence
from hundredfold.run import Run

NAMES = ("noise", "blur", "jpeg")


def _text(body: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def _score(value: float, n: int = 500) -> dict[str, Any]:
    return {"value": value, "low": max(value - 0.04, 0), "high": min(value + 0.04, 1), "n": n}


def _corrupt(run: Run, last: float = 0.2, **other: Any) -> None:
    levels = np.linspace(0.8, last, 5)
    by_name = {name: [_score(float(value)) for value in levels] for name in NAMES}
    found = {"split": "validation", "n": 500, "images": 900, "size": "32",
             "undisturbed": _score(0.9), "corruptions": by_name}  # fmt: skip
    (run.folder / "corruptions.json").write_text(json.dumps(found | other))


def _evidence(run: Run, source: Source) -> RunEvidence:
    return RunEvidence(run, source)


def _bound(run: Run, rule: str) -> calibration.Calibration:
    with run.writer():
        calibration.refresh(run)
        calibration.store(run, calibration.fit(run, rule))
    return calibration.of(run)


def test_corrupted_images_are_shown_with_their_means(
    tmp_path: Path, build: Callable[..., Run], digits: DataSet, source: Source
) -> None:
    run = build(tmp_path / "a", digits, splits=("validation",))
    exhibit = corruptions(_evidence(run, source))
    assert "evaluate --corruptions" in exhibit.body and not exhibit.figures
    _corrupt(run)
    exhibit = corruptions(_evidence(run, source))
    said = _text(exhibit.body)
    assert "Undisturbed, 90.0 % of 500 validation images are correct" in said
    assert "corrupted, 20.0 % at the highest strength and 50.0 % on average" in said
    assert all(name in exhibit.figures["corruptions"] for name in NAMES)


def test_scores_of_other_weights_are_not_shown(
    tmp_path: Path, build: Callable[..., Run], digits: DataSet, source: Source
) -> None:
    run = build(tmp_path / "a", digits)
    _corrupt(run, weights="1" * 64)
    unlike = {"split": "test", "n": 9, "weights": "1" * 64, "kinds": []}
    (run.folder / "unlike.json").write_text(json.dumps(unlike))
    for split in ("validation", "test"):
        marked = {"images": "0" * 64, "weights": "2" * 64}
        (run.folder / f"{split}.json").write_text(json.dumps(marked))
    evidence = _evidence(run, source)
    assert "are of other weights" in corruptions(evidence).body
    assert "AUROC" not in rejection(evidence).body


def test_accuracy_against_coverage_says_what_the_bound_does(
    tmp_path: Path, build: Callable[..., Run], digits: DataSet, source: Source
) -> None:
    run = build(tmp_path / "a", digits, accuracy=0.6)
    before = rejection(_evidence(run, source))
    assert "No bound is chosen" in before.body
    how = _bound(run, "coverage=0.8")
    values = calibration.unknown(how.probabilities(run.logits("test")))
    accepted = values <= how.reject.threshold
    right = (run.logits("test").argmax(1) == run.labels("test"))[accepted].mean()
    exhibit = rejection(_evidence(run, source))
    said = _text(exhibit.body)
    assert f"accepts {100 * accepted.mean():.1f} % of the test images" in said
    assert f"{100 * right:.1f} % of those are correct" in said
    assert "told apart about 80 % of the time" in said
    assert "coverage=0.8" in exhibit.figures["selective"]


def test_unlike_images_are_a_table(
    tmp_path: Path, build: Callable[..., Run], digits: DataSet, source: Source
) -> None:
    run = build(tmp_path / "a", digits)
    kinds = [{"name": "noise", "n": 1000, "auroc": _score(0.93)}]
    (run.folder / "unlike.json").write_text(json.dumps({"split": "test", "n": 360, "kinds": kinds}))
    said = _text(rejection(_evidence(run, source)).body)
    assert "noise 1,000 93.0 % 89.0–97.0" in said
    assert "360 test images; 50 % is chance" in said


@pytest.mark.parametrize("name", ["corruptions", "unlike", "calibration"])
def test_a_page_is_written_without_each_file(
    tmp_path: Path, build: Callable[..., Run], digits: DataSet, source: Source, name: str
) -> None:
    run = build(tmp_path / "a", digits)
    _bound(run, "coverage=0.8")
    _corrupt(run)
    (run.folder / f"{name}.json").unlink(missing_ok=True)
    (run.folder / "validation.logits.npy").unlink()
    page = reports.write_run(run, source).read_text(encoding="utf-8")
    assert '<section id="rejection">' in page and '<section id="corruptions">' in page


def test_a_study_shows_its_variants_under_corruptions(
    tmp_path: Path, study: Path, source: Source
) -> None:
    shutil.copytree(study.parent, tmp_path / "runs")
    shown = StudyEvidence(tmp_path / "runs" / study.name, source)
    assert "evaluate STUDY --corruptions" in variant_corruptions(shown).body
    labels = list(dict.fromkeys(member.label for member in shown.members))
    for member in shown.members:
        _corrupt(member.evidence.run, 0.2 if member.label == labels[0] else 0.4)
    exhibit = variant_corruptions(shown)
    assert f"{labels[0]} {sum(m.label == labels[0] for m in shown.members)}" in exhibit.body
    assert all(label in exhibit.figures["corruptions"] for label in labels)
    _corrupt(shown.members[0].evidence.run, split="test")
    assert "of different splits" in variant_corruptions(shown).body


@pytest.fixture
def two(tmp_path: Path, build: Callable[..., Run], source: Source) -> Run:
    data = load("shapes(size=16, classes=2, images=200)", source)
    run = build(tmp_path / "two", data, accuracy=0.5)
    for split in ("validation", "test"):
        chance = np.random.default_rng(len(split))
        labels = run.labels(split)
        logits = chance.normal(0, 1, (len(labels), 2)).astype(np.float32)
        logits[:, 1] += 1.2 * labels
        run.save_logits(split, logits, labels, run.rows(split))
    return run


def test_two_classes_show_the_area_and_the_threshold_of_one_half(two: Run, source: Source) -> None:
    exhibit = two_classes(_evidence(two, source))
    logits, labels = two.logits("test").astype(float), two.labels("test")
    odds = logits[:, 1] - logits[:, 0]
    positive = odds >= 0
    said = _text(exhibit.body)
    assert f"{100 * oracle.roc_auc_score(labels, odds):.1f} % (95 % interval" in said
    precision = oracle.average_precision_score(labels, odds)
    assert f"average precision {100 * precision:.1f} %" in said
    assert f"{100 * positive[labels == 1].mean():.1f} % of its {(labels == 1).sum()} images" in said
    assert f"{100 * (~positive)[labels == 0].mean():.1f} % of the" in said
    assert set(exhibit.figures) == {"roc", "precision-recall"}
    row = re.search(r"as predicted ([\d.]+) ([\d.]+) % .*? ([\d.]+) % .*? ([\d.]+) %", said)
    wanted = [oracle.recall_score(labels, positive), oracle.recall_score(1 - labels, ~positive),
              oracle.precision_score(labels, positive)]  # fmt: skip
    assert row is not None and row[1] == "0.500"
    assert [float(row[k]) for k in (2, 3, 4)] == [round(100 * value, 1) for value in wanted]


def test_thresholds_are_chosen_on_validation_and_scored_on_the_images_shown(
    two: Run, source: Source
) -> None:
    said = _text(two_classes(_evidence(two, source)).body)
    assert "chosen on validation images" in said
    logits, labels = two.logits("validation").astype(float), two.labels("validation")
    odds = logits[:, 1] - logits[:, 0]
    of_positives = np.sort(odds[labels == 1])[::-1]
    bound = of_positives[int(np.ceil(0.95 * len(of_positives))) - 1]
    below = odds[odds < bound].max()
    threshold = 1 / (1 + np.exp(-(bound + below) / 2))
    row = re.search(r"sensitivity 95 % ([\d.]+) ([\d.]+) %", said)
    assert row is not None and float(row[1]) == pytest.approx(threshold, abs=0.0006)
    test = two.logits("test").astype(float)
    found = (test[:, 1] - test[:, 0] >= (bound + below) / 2)[two.labels("test") == 1].mean()
    assert float(row[2]) == pytest.approx(100 * found, abs=0.06)
    (two.folder / "validation.logits.npy").unlink()
    assert "chosen on" not in two_classes(_evidence(two, source)).body


def test_images_of_one_class_have_no_curve(two: Run, source: Source) -> None:
    labels = two.labels("test")
    two.save_logits("test", two.logits("test"), labels * 0, two.rows("test"))
    assert "All test images are of one class" in two_classes(_evidence(two, source)).body


def test_the_section_is_on_pages_of_two_classes_alone(
    tmp_path: Path, two: Run, build: Callable[..., Run], digits: DataSet, source: Source
) -> None:
    ten = build(tmp_path / "ten", digits)
    pages = [reports.write_run(run, source).read_text(encoding="utf-8") for run in (two, ten)]
    assert ['id="two_classes"' in page for page in pages] == [True, False]
    assert (two.folder / "figures" / "roc.svg").is_file()
