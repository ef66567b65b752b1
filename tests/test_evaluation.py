"""The test split: sealed in training, read once, its evaluations counted, its scores true."""

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics

from hundredfold import cli, data, evaluation
from hundredfold.classifier import Classifier
from hundredfold.data import Source
from hundredfold.engines import engine_for
from hundredfold.errors import DataError, UsageError
from hundredfold.run import Run

COUNT = 300  # three images a class
ROW = 3074  # bytes: coarse label, fine label, pixels


def _rows(seed: int) -> np.ndarray:
    """Return rows of an official file; an image's brightness tells its class."""
    chance = np.random.default_rng(seed)
    rows = chance.integers(0, 60, (COUNT, ROW), dtype=np.uint8)
    rows[:, 1] = np.arange(COUNT) % 100
    rows[:, 2:] += rows[:, 1:2]
    rows[:, 0] = 0
    return rows


def _official(folder: Path) -> Path:
    inside = folder / "cifar-100-binary"
    inside.mkdir(parents=True)
    (inside / "train.bin").write_bytes(_rows(0).tobytes())
    (inside / "test.bin").write_bytes(_rows(1).tobytes())
    return folder


def _train(out: Path, *options: str) -> Run:
    code = cli.main(["train", "--epochs", "1", "--precision", "fp32", "--threads", "1",
                     "--out", str(out), "--name", "a", *options])  # fmt: skip
    assert code == 0
    return Run(out / "a")


def evaluate(run: Run, split: str, source: Source) -> dict[str, Any]:
    """Score a run with the engine of its recipe, on the CPU."""
    opener = partial(engine_for(run.recipe).open, run, torch.device("cpu"))
    return evaluation.evaluate(run, split, source, opener)


def _train_cifar(folder: Path) -> Run:
    return _train(folder / "runs", "--data", "cifar100", "--data-dir", str(folder),
                  "--batch-size", "64")  # fmt: skip


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Return the paths of all files that are opened from now on, however that is done."""
    paths: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching[0] and event == "open":
            paths.append(str(arguments[0]))

    sys.addaudithook(hook)
    yield paths
    watching[0] = False


@pytest.fixture
def shapes_run(tmp_path: Path) -> Run:
    return _train(tmp_path / "runs", "--data", "shapes(size=18, classes=10, images=20)",
                  "--batch-size", "32", "--optimizer", "adam(lr=0.003)")  # fmt: skip


def _altered(path: Path) -> None:
    rows = _rows(1)
    rows[:, 1] = rows[::-1, 1]
    path.write_bytes(rows.tobytes())


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff garbage")


def _absent(path: Path) -> None:
    path.unlink()


def test_poisoned_test_images_change_no_weight_and_are_never_opened(
    tmp_path: Path, opened: list[str]
) -> None:
    weights = {}
    for poison in (None, _altered, _garbage, _absent):
        name = poison.__name__ if poison else "clean"
        folder = _official(tmp_path / name)
        if poison:
            poison(folder / "cifar-100-binary" / "test.bin")
        opened.clear()
        made = _train_cifar(folder)
        read = [Path(path).name for path in opened]
        assert "train.bin" in read, "the watch works"
        assert "test.bin" not in read
        weights[name] = made.best().read_bytes()
        assert made.info["data"]["train"] + made.info["data"]["validation"] == COUNT
    assert len(set(weights.values())) == 1


def test_evaluate_opens_the_test_images_once_and_counts_its_evaluations(
    tmp_path: Path, opened: list[str]
) -> None:
    made = _train_cifar(_official(tmp_path))
    source = evaluation.source_of(made, None)
    assert source.folder == tmp_path
    opened.clear()
    first = evaluate(made, "test", source)
    assert any(path.endswith("test.bin") for path in opened)
    assert made.info["test_evaluations"] == 1

    def refuse() -> Classifier:
        raise AssertionError("the stored logits are of these images and weights")

    second = evaluation.evaluate(made, "test", source, refuse)
    assert second == first
    assert made.info["test_evaluations"] == 2
    assert len(made.labels("test")) == COUNT


def test_a_second_score_leaves_out_what_training_saw_nearly_the_same(tmp_path: Path) -> None:
    folder = _official(tmp_path)
    train, test = _rows(0), _rows(1)
    for row in range(0, 60, 2):  # every other one is a training image in a mirror
        pixels = train[row + 100, 2:].reshape(3, 32, 32)
        test[row, 2:] = pixels[:, :, ::-1].ravel()
    (folder / "cifar-100-binary" / "test.bin").write_bytes(test.tobytes())
    made = _train_cifar(folder)
    found = evaluate(made, "test", evaluation.source_of(made, None))
    copies = np.zeros(COUNT, bool)
    copies[:60:2] = True
    np.testing.assert_array_equal(made.unseen(), ~copies)
    right = made.logits("test").argmax(1) == made.labels("test")
    second = found["test.top_1_unseen"]
    assert (second["value"], second["n"]) == (right[~copies].mean(), COUNT - 30)
    assert second["low"] <= second["value"] <= second["high"]
    assert found["test.top_1"]["n"] == COUNT
    again = evaluate(made, "test", Source())
    assert again["test.top_1_unseen"] == second, "kept with the run"


def test_scores_are_those_that_scikit_learn_finds_in_the_stored_logits(shapes_run: Run) -> None:
    found = evaluate(shapes_run, "test", Source())
    logits = np.load(shapes_run.folder / "test.logits.npy")
    labels = np.load(shapes_run.folder / "test.labels.npy")
    split = data.load(shapes_run.recipe.data, Source()).parts["test"]()
    np.testing.assert_array_equal(labels, split.labels)
    shares = torch.from_numpy(logits).double().softmax(1).numpy()
    predicted, classes = logits.argmax(1), np.arange(10)
    wanted = {
        "test.top_1": metrics.accuracy_score(labels, predicted),
        "test.top_5": metrics.top_k_accuracy_score(labels, logits, k=5, labels=classes),
        "test.loss": metrics.log_loss(labels, shares, labels=classes),
        "test.coarse_top_1": metrics.accuracy_score(labels // 5, predicted // 5),
        "test.macro_f1": metrics.f1_score(labels, predicted, average="macro", zero_division=0),
        "test.balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "test.brier": ((shares - np.eye(len(classes))[labels]) ** 2).sum(1).mean(),
    }
    for name, value in wanted.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-9), name
        assert found[name]["low"] <= value <= found[name]["high"], name
        assert found[name]["n"] == len(labels), name
    assert shapes_run.scores.keys() >= found.keys()
    assert "validation.top_1" in shapes_run.scores, "the scores of training stay"


def test_tables_of_classes_are_those_that_scikit_learn_finds(shapes_run: Run) -> None:
    evaluate(shapes_run, "test", Source())
    labels = shapes_run.labels("test")
    predicted = shapes_run.logits("test").argmax(1)
    each = metrics.precision_recall_fscore_support(labels, predicted, zero_division=0)
    with (shapes_run.folder / "test.classes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == shapes_run.info["data"]["classes"]
    for name, wanted in zip(("precision", "recall", "f1", "images"), each, strict=True):
        np.testing.assert_allclose([float(row[name]) for row in rows], wanted, atol=5e-5)
    with (shapes_run.folder / "test.confusion.csv").open(encoding="utf-8") as file:
        counts = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(labels, predicted))


def test_predictions_name_each_image_with_label_prediction_and_probability(
    shapes_run: Run,
) -> None:
    evaluate(shapes_run, "test", Source())
    classes = shapes_run.info["data"]["classes"]
    for split, part in (("test", "test"), ("validation", "train")):
        logits = torch.from_numpy(shapes_run.logits(split)).double()
        labels, rows = shapes_run.labels(split), shapes_run.rows(split)
        with (shapes_run.folder / f"{split}.predictions.csv").open(encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        assert [line["file"] for line in lines] == [f"{part}/{row}" for row in rows]
        assert [line["label"] for line in lines] == [classes[label] for label in labels]
        best = [classes[label] for label in logits.argmax(1).tolist()]
        assert [line["predicted"] for line in lines] == best
        found = [float(line["probability"]) for line in lines]
        np.testing.assert_allclose(found, logits.softmax(1).amax(1), atol=5.1e-5)


def test_validation_scored_again_is_what_training_found_and_no_test_evaluation(
    shapes_run: Run,
) -> None:
    before = shapes_run.scores
    (shapes_run.folder / "validation.logits.npy").unlink()
    again = evaluate(shapes_run, "validation", Source())
    for name, score in again.items():
        assert score["value"] == pytest.approx(before[name]["value"], abs=1e-5)
    assert shapes_run.info["test_evaluations"] == 0


def test_the_command_prints_one_json_object(
    shapes_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    out = str(shapes_run.folder.parent)
    assert cli.main(["evaluate", "a", "--split", "test", "--out", out, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["test_evaluations"] == 1
    assert printed["scores"]["test.top_1"] == shapes_run.scores["test.top_1"]


def test_other_classes_are_refused(shapes_run: Run) -> None:
    info = shapes_run.info
    others = info["data"] | {"classes": info["data"]["classes"][::-1]}
    shapes_run.save_info(info | {"data": others})
    with pytest.raises(DataError, match="classes"):
        evaluate(shapes_run, "test", Source())
    assert shapes_run.logits("test") is None


def test_other_training_images_are_refused_for_validation(shapes_run: Run) -> None:
    (shapes_run.folder / "validation.logits.npy").unlink()
    info = shapes_run.info
    shapes_run.save_info(info | {"data": info["data"] | {"digest": "0" * 64}})
    with pytest.raises(DataError, match="not those"):
        evaluate(shapes_run, "validation", Source())


def test_there_are_two_splits_to_score(shapes_run: Run) -> None:
    with pytest.raises(UsageError, match="no split 'train'"):
        evaluate(shapes_run, "train", Source())


def test_a_run_that_is_being_written_is_not_evaluated(shapes_run: Run) -> None:
    with shapes_run.writer(), pytest.raises(UsageError, match="another process"):
        evaluate(shapes_run, "test", Source())


def _replace_weights(run: Run, tmp_path: Path) -> None:
    """Put the weights of another training in the place of a run's, and leave all else."""
    other = _train(tmp_path / "others", "--data", "shapes(size=18, classes=10, images=20)",
                   "--batch-size", "32", "--optimizer", "adam(lr=0.01)", "--seed", "5")  # fmt: skip
    shutil.copy(other.best(), run.best())


def test_weights_replaced_by_hand_have_a_calibration_of_their_own(
    tmp_path: Path, shapes_run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    before = shapes_run.logits("validation")
    _replace_weights(shapes_run, tmp_path)
    evaluate(shapes_run, "test", Source())
    assert "scoring again, because the weights are not those" in caplog.text
    after = shapes_run.logits("validation")
    assert (before != after).any()
    assert shapes_run.scored("validation")["weights"] == shapes_run.scored("test")["weights"]
    right = after.argmax(1) == shapes_run.labels("validation")
    assert shapes_run.scores["validation.top_1"]["value"] == pytest.approx(right.mean())
    digest = shapes_run.scored("validation")["stored"]
    assert shapes_run.stored("calibration")["logits"] == digest
    assert shapes_run.info["test_evaluations"] == 1


def test_without_its_images_validation_of_other_weights_is_deleted(
    tmp_path: Path, shapes_run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    _replace_weights(shapes_run, tmp_path)
    info = shapes_run.info
    shapes_run.save_info(info | {"data": info["data"] | {"digest": "0" * 64}})
    evaluate(shapes_run, "test", Source())
    assert "deleting the validation scores and the calibration" in caplog.text
    assert not shapes_run.has_logits("validation")
    assert not (shapes_run.folder / "calibration.json").exists()
    assert {name.partition(".")[0] for name in shapes_run.scores} == {"test"}
    left = {path.name.partition(".")[0] for path in shapes_run.folder.glob("*.csv")}
    assert left == {"test"}
