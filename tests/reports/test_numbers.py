"""The numbers on a page are those that another computation gives."""

import json
import re
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from hundredfold import wording
from hundredfold.data import DataSet
from hundredfold.reports.exhibits.confusion import top_pairs
from hundredfold.reports.exhibits.mistakes import most_confident_wrong
from hundredfold.run import Run


def words(folder: Path) -> str:
    text = (folder / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"(?s)<(script|style)>.*?</\1>", "", text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


def stored(run: Run, split: str = "test") -> tuple[np.ndarray, np.ndarray]:
    logits, labels = run.logits(split), run.labels(split)
    assert logits is not None
    assert labels is not None
    return logits, labels


def test_the_headline_is_the_fraction_of_correct_predictions(shapes_run: Run) -> None:
    logits, labels = stored(shapes_run)
    share = float(np.mean(logits.argmax(1) == labels))
    z, n = 1.959964, len(labels)
    centre = (share + z * z / 2 / n) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / 4 / n**2) / (1 + z * z / n)
    bounds = f"{100 * (centre - half):.1f}–{100 * (centre + half):.1f}"
    said = words(shapes_run.folder)
    assert f"{100 * share:.1f} %accuracy on {n:,} test images (95 % interval {bounds})" in said


def test_cells_of_the_matrix_are_those_of_scikit_learn(digits_run: Run) -> None:
    logits, labels = stored(digits_run)
    wanted = confusion_matrix(labels, logits.argmax(1), labels=range(10))
    data = matrices(digits_run)[0]
    assert np.array_equal(dense(data), wanted)
    assert data["totals"] == wanted.sum(axis=1).tolist()


def test_a_matrix_of_superclasses_sums_its_classes(shapes_run: Run, shapes: DataSet) -> None:
    logits, labels = stored(shapes_run)
    coarse = np.array(shapes.superclass_of)
    wanted = confusion_matrix(coarse[labels], coarse[logits.argmax(1)], labels=range(20))
    fine, families = matrices(shapes_run)
    assert np.array_equal(dense(families), wanted)
    assert dense(fine).sum() == len(labels)


def test_classes_of_one_superclass_are_adjacent(shapes_run: Run, shapes: DataSet) -> None:
    data = matrices(shapes_run)[0]
    family = dict(zip(shapes.classes, shapes.superclass_of, strict=True))
    order = [family[name] for name in data["names"]]
    assert order == sorted(order)
    assert data["groups"] == [shapes.superclasses[k] for k in order]


def test_the_table_of_classes_is_that_of_scikit_learn(digits_run: Run) -> None:
    logits, labels = stored(digits_run)
    columns = precision_recall_fscore_support(labels, logits.argmax(1), zero_division=0)
    text = (digits_run.folder / "report.html").read_text(encoding="utf-8")
    table = text[text.index('class="classes sortable"') :].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', table)
    assert len(rows) == 10
    for name, cells in rows:
        values = re.findall(r'data-sort="([\d.]+)"', cells)
        wanted = [columns[3][int(name)], *(column[int(name)] for column in columns[:3])]
        assert [float(v) for v in values] == pytest.approx(wanted, rel=1e-5)


def test_top_confusions_are_counted_and_ordered() -> None:
    counts = np.array([[9, 3, 0], [1, 8, 4], [0, 0, 7]])
    assert top_pairs(counts, 5) == [(1, 2, 4), (0, 1, 3), (1, 0, 1)]
    assert top_pairs(counts, 1) == [(1, 2, 4)]
    assert top_pairs(np.diag([3, 4, 5]), 5) == []


def test_the_worst_mistakes_are_wrong_and_sure() -> None:
    chance = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.99, 0.01]])
    assert most_confident_wrong(chance, np.array([0, 0, 0, 1]), 9) == [3, 1, 2]


def test_a_study_says_mean_and_deviation_over_seeds(study: Path) -> None:
    said = words(study)
    members = json.loads((study / "study.json").read_text())["members"]
    for label in ("simple_cnn", "resnet(depth=20)", "vgg(depth=11)"):
        values = [
            Run(study.parent / m["run"]).scores["validation.top_1"]["value"]
            for m in members
            if m["label"] == label
        ]
        assert f"{label}3{100 * fmean(values):.2f} ± {100 * stdev(values):.2f} %" in said


def test_a_study_repeats_the_verdicts_of_the_comparison(study: Path) -> None:
    said = words(study).replace("&#x27;", "'")
    pairs = json.loads((study / "comparison.json").read_text())["pairs"]
    assert "not distinguishable" in {pair["verdict"] for pair in pairs}
    best = json.loads((study / "comparison.json").read_text())["systems"][0]["label"]
    for pair in pairs:
        assert pair["verdict"] in said
        assert pair["first"] != best or pair["sentence"] in said


def test_figures_from_elsewhere_stand_beside_the_variants_also_of_those_left_out(
    study: Path,
) -> None:
    said = words(study)
    assert "Reference: a paper's table 2." in said.replace("&#x27;", "'")
    assert re.search(r"simple_cnn3\d\d\.\d\d ± \d\.\d\d %75\.12 %", said)
    assert f"vgg16left out{wording.NOTHING}50.00 %" in said


def test_what_was_left_out_is_named_with_its_reason(study: Path) -> None:
    assert "vgg16, seed 0: the loss was not finite in epoch 3" in words(study)


def test_numbers_read_as_people_write_them() -> None:
    assert wording.percent(0.5124) == "51.2 %"
    assert wording.percent(float("nan")) == wording.percent(None) == "–"
    assert wording.points(-0.013) == "−1.3"
    assert [wording.short(v) for v in (0, 999, 1000, 122570, 36536884, 999_600)] == [
        "0", "999", "1 k", "123 k", "36.5 M", "1 M",
    ]  # fmt: skip
    assert wording.memory(1_200_000_000) == "1.2 GB"
    assert [wording.seconds(v) for v in (4.12, 75, 3599.6, 4521)] == [
        "4.1 s", "1 min 15 s", "1 h 00 min", "1 h 15 min",
    ]  # fmt: skip
    assert [wording.times(n) for n in (1, 2, 1234)] == ["once", "twice", "1,234 times"]


def matrices(run: Run) -> list[dict]:
    text = (run.folder / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'data-matrix="([^"]*)"', text)
    return [json.loads(one.replace("&quot;", '"')) for one in found]


def dense(data: dict) -> np.ndarray:
    n = len(data["names"])
    table = np.zeros((n, n), int)
    for row, cells in enumerate(data["rows"]):
        table[row, cells[::2]] = cells[1::2]
    return table
