"""All scores of a split together."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from hundredfold.errors import UsageError
from hundredfold.metrics import Score, about, default, scores, words


def example(n: int, classes: int):
    generator = np.random.default_rng(0)
    labels = generator.integers(classes, size=n)
    logits = generator.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += 3
    return logits, labels


def test_every_default_score_is_there_in_order():
    actual = scores(*example(200, 10), superclass_of=(0, 0, 0, 0, 0, 1, 1, 1, 1, 1))
    assert list(actual) == [name for name in default() if name != "auc"]  # of two classes only
    assert list(actual)[:2] == ["top_1", "top_5"]
    assert actual.keys() >= {
        "loss",
        "coarse_top_1",
        "ece",
        "macro_f1",
        "balanced_accuracy",
        "brier",
    }
    assert actual["top_1"].value < actual["coarse_top_1"].value
    assert actual["top_1"].value < actual["top_5"].value


def test_without_superclasses_their_score_is_left_out():
    assert "coarse_top_1" not in scores(*example(50, 10))


@pytest.mark.parametrize(("classes", "there"), [(2, False), (5, False), (6, True)])
def test_a_top_5_that_everyone_reaches_is_left_out(classes, there):
    actual = scores(*example(50, classes))
    assert ("top_5" in actual) == there
    assert "top_1" in actual


def test_metrics_can_be_chosen_with_options():
    actual = scores(*example(50, 10), metrics={"top_3": "top_k(k=3)", "error": "ece(bins=5)"})
    assert list(actual) == ["top_3", "error"]


def test_an_unknown_metric_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'brier'"):
        scores(*example(50, 10), metrics={"b": "brie"})


def test_a_score_is_known_by_its_key_in_a_run():
    assert about("test.top_1").higher_is_better
    assert not about("validation.loss").higher_is_better
    assert about("test.top_1_unseen") == about("top_1")
    assert str(about("top_5").call) == "top_k(k=5)"


def test_a_title_tells_the_options():
    assert about("top_1").title == "top-1 accuracy"
    assert about("top_5").title == "top-5 accuracy"
    assert about("test.top_5").heading == "Top-5 accuracy"
    assert words("validation.top_1") == "validation top-1 accuracy"


def test_an_unknown_score_is_called_by_its_name():
    assert words("test.of_the_past") == "test of_the_past"


def test_values_are_printed_in_percent_or_as_numbers():
    score = {"low": 0.5024, "high": 0.5222}
    assert (about("top_1").text(0.5123), about("top_1").interval(score)) == ("51.2 %", "50.2–52.2")
    assert (about("loss").text(0.5123), about("loss").interval(score)) == ("0.512", "0.502–0.522")
    assert about("loss").text(0.5123, 4) == "0.5123"
    assert about("top_1").text(0.5123, 4) == "51.23 %"
    assert about("loss").text(None) == about("loss").interval({"low": 0.1, "high": None}) == "–"


def test_an_unknown_score_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean 'top_1'"):
        about("test.topp_1")


def test_describing_scores_imports_no_metric():
    code = (
        "import sys, hundredfold.metrics as m; assert m.default();"
        "sys.exit(any(f'hundredfold.metrics.{n}' in sys.modules for n in m.spec.names(m.__name__)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_score_survives_json():
    for score in scores(*example(80, 10)).values():
        assert Score.from_json(json.loads(json.dumps(score.to_json()))) == score


def test_a_bound_that_is_not_finite_survives_strict_json():
    score = scores(*example(1, 10))["loss"]
    text = json.dumps(score.to_json(), allow_nan=False)
    assert Score.from_json(json.loads(text)) == score


def test_ten_thousand_images_of_a_hundred_classes_are_scored_in_half_a_second():
    logits, labels = example(10_000, 100)
    groups = tuple(c // 5 for c in range(100))
    seconds = []
    for _ in range(3):
        start = time.process_time()
        scores(logits, labels, superclass_of=groups)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5


def test_scoring_loads_neither_torch_nor_scipy_nor_scikit_learn():
    code = (
        "import sys, hundredfold.metrics as m, hundredfold.comparison;"
        "m.scores([[1., 0.], [0., 1.]], [0, 1]);"
        "sys.exit(any(n in sys.modules for n in ('torch', 'scipy', 'sklearn')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
