"""The change that docs/adding-a-metric.md shows is applied to a copy and tested there."""

import json

import numpy as np
import pytest

PAGE = "adding-a-metric.md"


@pytest.fixture(scope="module")
def run(copy):
    """Train a run in the copy, evaluate it, and write its page."""
    quick = ("--epochs", "1", "--set", "limit=200", "--out", "runs", "--name", "one")
    copy.python("-m", "hundredfold", "train", "--data", "digits", *quick)
    copy.python("-m", "hundredfold", "evaluate", "one")
    copy.python("-m", "hundredfold", "report", "one")
    return copy.folder / "runs" / "one"


def test_one_file_is_all_there_is_to_it(copy):
    assert copy.added == ["src/hundredfold/metrics/reciprocal_rank.py"]


def test_the_new_file_keeps_every_law(copy):
    assert copy.tests_pass("tests/laws/test_metrics.py", "-k", "reciprocal_rank") >= 20


def test_no_test_has_to_change(copy):
    tests = ("tests/metrics/test_scores.py", "tests/reports/test_pages.py")
    assert copy.tests_pass(*tests, "-k", "not half_a_second") > 40


def test_the_score_is_computed_and_shown(run):
    scores = json.loads((run / "scores.json").read_text())
    logits, labels = np.load(run / "test.logits.npy"), np.load(run / "test.labels.npy")
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    wanted = (1 / (logits >= own).sum(axis=1)).mean()
    assert scores["test.reciprocal_rank"]["value"] == pytest.approx(wanted)
    assert scores.keys() >= {"validation.reciprocal_rank"}
    assert "Mean reciprocal rank" in (run / "report.html").read_text(encoding="utf-8")


def test_the_command_line_and_a_study_know_it(copy):
    said = copy.python("-m", "hundredfold", "evaluate", "--help").stdout
    assert "reciprocal_rank" in said
    code = (
        "from hundredfold import metrics, comparison as c; m = metrics.about('reciprocal_rank');"
        "assert m.higher_is_better and not m.percent;"
        "print(c.compare({'a': {0: .5}}, percent=m.percent, within=m.range).systems[0].mean)"
    )
    assert copy.python("-c", code).stdout.strip() == "0.5"


def test_the_new_file_is_tidy(copy):
    copy.is_tidy()
