"""Metrics that a user adds to an evaluation, by text, by file and by function."""

from pathlib import Path

import numpy as np
import pytest

import hundredfold as hf
from hundredfold import cli, metrics
from hundredfold.errors import UsageError
from hundredfold.spec import OwnFiles

LOGITS = np.array([[2.0, 1, 0], [0, 2, 1], [0, 1, 2], [2, 1, 0]] * 10)
LABELS = np.array([0, 1, 2, 2] * 10)
FILE = """
def accuracy(logits, labels, *, scale: float = 1.0):
    return scale * (logits.argmax(1) == labels).mean()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_metrics.py"
    path.write_text(FILE)
    return path


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float((logits.argmax(1) == labels).mean())


def _score(*given: object) -> dict[str, metrics.Score]:
    files = OwnFiles(trusted=None)
    return metrics.scores(LOGITS, LABELS, metrics=metrics.own(given, files))  # type: ignore[arg-type]


def test_text_file_and_function_say_the_same(file: Path) -> None:
    found = _score("top_k(k=1)", f"{file}:accuracy", f"{file}:accuracy(scale=0.5)")
    assert list(found) == ["top_k(k=1)", "accuracy", "accuracy(scale=0.5)"]
    assert found["top_k(k=1)"].value == found["accuracy"].value == 0.75
    assert _score(accuracy)["accuracy"] == found["accuracy"]
    assert found["accuracy(scale=0.5)"].value == 0.375


def test_a_number_gets_a_bootstrap_interval_close_to_the_known_one() -> None:
    found = _score("top_k(k=1)", accuracy)
    known, drawn = found["top_k(k=1)"], found["accuracy"]
    assert drawn.n == known.n == len(LABELS)
    assert drawn.low == pytest.approx(known.low, abs=0.05)
    assert drawn.high == pytest.approx(known.high, abs=0.05)
    assert _score(accuracy)["accuracy"] == drawn, "the same draws each time"


def test_what_is_no_metric_is_one_sentence(file: Path) -> None:
    def broken(logits: np.ndarray, labels: np.ndarray) -> float:
        raise KeyError("no")

    def endless(logits: np.ndarray, labels: np.ndarray) -> float:
        return float("nan")

    def other(images: np.ndarray) -> float:
        return 0.0

    for given, said in (
        (3, "no metric"),
        ("top_q", "no metric is called"),
        (f"{file}:acuracy", "no function"),
        (broken, "failed: KeyError"),
        (endless, "not finite"),
        (other, "takes images"),
    ):
        with pytest.raises(UsageError, match=said):
            _score(given)


def test_two_metrics_of_one_name_are_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="two metrics are called 'accuracy'"):
        metrics.own([f"{file}:accuracy", accuracy], OwnFiles(trusted=None))


def test_a_file_that_nobody_trusts_does_not_run(file: Path) -> None:
    chosen = metrics.own([f"{file}:accuracy"])
    with pytest.raises(UsageError, match="code of its own"):
        metrics.scores(LOGITS, LABELS, metrics=chosen)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("test.top_1", "51.2 %"),
        ("test.f_beta(beta=0.5)", "0.5120"),
        ("test.top_1_unseen", "51.2 %"),
    ],
)
def test_values_of_own_metrics_are_plain_numbers(key: str, text: str) -> None:
    assert metrics.text(key, 0.512, 4).replace("51.20", "51.2") == text
    assert metrics.words("test.f_beta(beta=0.5)") == "test f_beta(beta=0.5)"


def test_evaluations_by_python_and_by_command_have_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = hf.train("simple-cnn", data="shapes(size=20, classes=3, images=20)", epochs=1, threads=1)
    found = run.evaluate("val", metrics=[accuracy, "top_k(k=2)"])
    assert found["validation.accuracy"]["value"] == found["validation.top_1"]["value"]
    assert found["validation.top_k(k=2)"]["value"] >= found["validation.top_1"]["value"]
    assert run.scores == found
    assert run.evaluate("val", metrics=accuracy) == run.scores, "one needs no list"

    def brier(logits: np.ndarray, labels: np.ndarray) -> float:
        return 0.0

    with pytest.raises(UsageError, match="'brier' comes with Hundredfold"):
        run.evaluate("val", metrics=brier)
    command = ["evaluate", str(run.folder), "--split", "val", "--metric", f"{file}:accuracy"]
    assert cli.main(command) == 0
    assert "accuracy" in capsys.readouterr().out
    assert run.report().is_file()
    assert cli.main([*command, "--metric", "top_q"]) == 2
