"""Two runs side by side; McNemar's exact p is computed here from the binomial distribution."""

import json
from collections.abc import Callable
from math import comb
from pathlib import Path

import numpy as np
import pytest

import hundredfold as hf
from hundredfold.cli import main
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.studies.two_runs import two_runs

MakeRun = Callable[..., Run]


def _store(run: Run, correct: list[bool], images: str = "i1", labels: int = 0) -> None:
    """Store logits of two classes that are correct for these images."""
    truth = np.full(len(correct), labels, np.int64)
    logits = np.zeros((len(correct), 2), np.float32)
    logits[np.arange(len(correct)), np.where(correct, truth, 1 - truth)] = 1
    info = run.info
    run.save_info(info | {"data": info["data"] | {"classes": ["a", "b"]}})
    run.save_logits("validation", logits, truth, np.arange(len(correct)), {"images": images})


@pytest.fixture
def pair(tmp_path: Path, make_run: MakeRun) -> tuple[Run, Run]:
    adam = Recipe().override({"optimizer": "adam(lr=0.01)", "epochs": 3})
    scores = {"validation.top_1": 0.5}
    one = make_run(tmp_path, Recipe(), name="one", scores=scores)
    return one, make_run(tmp_path, adam, name="two", scores=scores)


def test_recipes_differ_by_option_where_the_part_is_the_same(pair: tuple[Run, Run]) -> None:
    found = {d.field: (d.first, d.second) for d in two_runs(*pair).recipe}
    assert found["optimizer.lr"] == ("0.001", "0.01")
    assert set(found) == {"optimizer.lr", "epochs"}


def test_the_p_value_is_mcnemars(pair: tuple[Run, Run]) -> None:
    first, second = [True] * 12 + [False] * 2 + [True] * 30, [False] * 12 + [True] * 2 + [True] * 30
    _store(pair[0], first)
    _store(pair[1], second)
    found = two_runs(*pair)
    p = 2 * sum(comb(14, k) for k in range(3)) / 2**14
    assert found.pair is not None and found.pair.p == pytest.approx(p)
    assert found.pair.difference == pytest.approx(10 / 44)
    assert (found.verdict, found.pair.first, found.split) == ("ahead", "one", "validation")
    assert "better" not in found.sentence, "one training each tells of networks, not of recipes"


def test_a_small_difference_is_not_distinguishable(pair: tuple[Run, Run]) -> None:
    _store(pair[0], [True] * 20 + [False])
    _store(pair[1], [True] * 21)
    assert two_runs(*pair).verdict == "not distinguishable"
    assert "not distinguishable" in str(hf.Run(pair[0].folder).compare(pair[1].folder))


@pytest.mark.parametrize(
    ("images", "labels", "reason"),
    [("i2", 0, "the images are not the same"), ("i1", 1, "the labels are not the same")],
)
def test_other_images_are_not_paired(
    pair: tuple[Run, Run], images: str, labels: int, reason: str
) -> None:
    _store(pair[0], [True] * 9)
    _store(pair[1], [False] * 9, images, labels)
    found = two_runs(*pair)
    assert (found.pair, found.verdict) == (None, "not comparable")
    assert reason in found.sentence


def test_the_command_and_python_say_the_same(
    pair: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(pair[0].folder.parent)
    assert main(["runs", "compare", "one", "two", "--out", out, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(hf.load("one", out=out).compare("two", out=out).to_json()))
    assert main(["runs", "compare", "one", "two", "--out", out]) == 0
    assert "cannot be paired" in capsys.readouterr().out
    assert main(["runs", "compare", "one", "one", "--out", out]) == 2
    assert "are the same run" in capsys.readouterr().err
