"""All scores of a split together."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from hundredfold.errors import UsageError
from hundredfold.metrics import DEFAULT, Score, higher_is_better, scores


def example(n: int, classes: int):
    generator = np.random.default_rng(0)
    labels = generator.integers(classes, size=n)
    logits = generator.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += 3
    return logits, labels


def test_every_default_score_is_there_in_order():
    found = scores(*example(200, 10), superclass_of=(0, 0, 0, 0, 0, 1, 1, 1, 1, 1))
    assert list(found) == ["top_1", "top_5", "loss", "coarse_top_1", "ece", "macro_f1"]
    assert found["top_1"].value < found["coarse_top_1"].value
    assert found["top_1"].value < found["top_5"].value


def test_without_superclasses_their_score_is_left_out():
    assert "coarse_top_1" not in scores(*example(50, 10))


@pytest.mark.parametrize(("classes", "there"), [(2, False), (5, False), (6, True)])
def test_a_top_5_that_everyone_reaches_is_left_out(classes, there):
    found = scores(*example(50, classes))
    assert ("top_5" in found) == there
    assert "top_1" in found


def test_metrics_can_be_chosen_with_options():
    found = scores(*example(50, 10), metrics={"top_3": "top_k(k=3)", "error": "ece(bins=5)"})
    assert list(found) == ["top_3", "error"]


def test_an_unknown_metric_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'brier'"):
        scores(*example(50, 10), metrics={"b": "brie"})


def test_every_score_knows_its_direction():
    less = {key for key in DEFAULT if not higher_is_better(key)}
    assert less == {"loss", "ece"}
    assert higher_is_better("test.top_1")
    assert not higher_is_better("validation.loss")


def test_the_direction_of_an_unknown_score_is_refused():
    with pytest.raises(UsageError, match=r"did you mean 'top_1'"):
        higher_is_better("test.topp_1")


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
