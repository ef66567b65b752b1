"""Uneven classes, and few images."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hundredfold import training
from hundredfold.data import InMemory, Source, in_memory
from hundredfold.engines.pytorch import ENGINE
from hundredfold.recipe import Recipe
from hundredfold.run import Run

Train = Callable[..., Run]


def grey_levels(counts: tuple[int, ...], seed: int = 0) -> InMemory:
    """Return images whose brightness overlaps between classes, so that frequency decides."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    level = 110 + 25 * labels + rng.normal(0, 18, len(labels))
    images = level[:, None, None, None] + rng.normal(0, 4, (len(labels), 18, 18, 3))
    return in_memory((images.clip(0, 255).astype(np.uint8), labels))


@pytest.fixture
def train(tmp_path: Path) -> Train:
    def run(counts: tuple[int, ...], name: str = "a", **fields: object) -> Run:
        options = training.Options(
            Source(in_memory=grey_levels(counts)), threads=1, out=tmp_path / "runs", name=name
        )
        recipe = {"data": "arrays", "epochs": 6, "precision": "fp32", "patience": 0}
        recipe |= {"validation": 0.3, "batch_size": 32, "select": "last"}
        return training.train(Recipe(**(recipe | fields)), options, training.Progress(), ENGINE)

    return run


@pytest.mark.parametrize("balance", ["weights", "sample"])
def test_balance_raises_the_recall_of_the_small_class(train: Train, balance: str) -> None:
    plain, balanced = train((380, 40), "plain"), train((380, 40), balance, balance=balance)
    recalls = []
    for run in (plain, balanced):
        right = run.logits("validation").argmax(1) == run.labels("validation")
        recalls.append(right[run.labels("validation") == 1].mean())
    assert recalls[1] > recalls[0] + 0.2
    key = "validation.balanced_accuracy"
    assert balanced.scores[key]["value"] > plain.scores[key]["value"]


def test_balanced_accuracy_is_said_where_one_class_holds_most_images(train: Train) -> None:
    uneven = (train((90, 30), "uneven").folder / "log.txt").read_text()
    assert "balanced accuracy" in uneven
    assert "one class has 75% of the images" in uneven
    even = (train((60, 60, 60), "even").folder / "log.txt").read_text()
    assert "balanced accuracy" not in even


@pytest.mark.parametrize("counts", [(20, 20), (4,) * 6, (37, 3), (2, 2)])
def test_few_images_train_enough_steps(train: Train, counts: tuple[int, ...]) -> None:
    run = train(counts, batch_size=128, epochs=3, validation=0.1)
    assert run.info["status"] == "done"
    resolved = run.info["resolved"]
    assert run.info["steps"] >= 100
    assert resolved["batch_size"] <= sum(counts) / 2
    assert resolved["epochs"] > 3
    log = (run.folder / "log.txt").read_text()
    assert "images are few" in log
    assert "--folds 5" in log


def test_the_last_of_a_few_steps_is_saved_in_the_recipe_as_written(train: Train) -> None:
    run = train((20, 20), batch_size=128, epochs=3)
    assert (run.recipe.batch_size, run.recipe.epochs) == (128, 3)
    assert json.loads((run.folder / "run.json").read_text())["resolved"]["epochs"] > 3


def test_a_fold_is_trained_and_scored_on_what_it_holds_out(train: Train) -> None:
    runs = [train((30, 30), f"fold{fold}", folds=3, fold=fold) for fold in range(3)]
    rows = np.concatenate([run.rows("validation") for run in runs])
    assert sorted(rows) == list(range(60))
