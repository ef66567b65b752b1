"""calibration.json: written when validation is scored, read with bounds, never of other logits."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hundredfold import calibration, evaluation, run
from hundredfold.calibration import Calibration
from hundredfold.errors import DataError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import Run

CLASSES = list("abcdefgh")


def _scored(folder: Path, n: int = 400, seed: int = 0, name: str = "a") -> Run:
    """Make a run with validation logits that are twice as sharp as they should be."""
    made = run.create(folder, name, Recipe())
    made.save_info({"status": "done", "data": {"name": "d", "digest": "x", "classes": CLASSES}})
    _score(made, n, seed)
    return made


def _score(made: Run, n: int = 400, seed: int = 0) -> None:
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 2, (n, 8))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (chance.random((n, 1)) > shares.cumsum(1)).sum(1).clip(0, 7)
    with made.writer():
        made.save_logits("validation", (2 * logits).astype(np.float32), labels, np.arange(n))
        evaluation.score(made, "validation")


def test_scoring_validation_stores_the_temperature(tmp_path: Path) -> None:
    made = _scored(tmp_path)
    stored = json.loads((made.folder / "calibration.json").read_text())
    assert stored["temperature"] == pytest.approx(2, rel=0.2)
    assert stored["n"] == 400
    assert calibration.of(made) == Calibration(stored["temperature"], 400)
    assert calibration.fit(made) == calibration.of(made)


def test_training_ends_with_a_calibration(small_run: Callable[..., Run]) -> None:
    made = small_run()
    assert calibration.of(made).n == len(made.labels("validation"))
    without = small_run("b", validation=0.0, patience=0, select="last")
    assert calibration.of(without) == Calibration()
    for options in ({"reject_at": "coverage=0.9"}, {"sets": 0.5}):
        with pytest.raises(UsageError, match="chosen on validation images") as caught:
            calibration.fit(without, **options)
        assert caught.value.exit_code == 2


def test_a_calibration_goes_with_the_scores(tmp_path: Path) -> None:
    made = _scored(tmp_path)
    made.delete_scores()
    assert calibration.of(made) == Calibration()


def test_a_calibration_of_other_logits_is_left_out_until_it_is_fitted_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, other = _scored(tmp_path), _scored(tmp_path, seed=1, name="b")
    (made.folder / "calibration.json").write_bytes((other.folder / "calibration.json").read_bytes())
    with caplog.at_level(logging.WARNING):
        assert calibration.of(made) == Calibration()
    assert "of other validation scores" in caplog.text
    with made.writer():
        found = calibration.refresh(made)
    assert calibration.of(made) == found
    assert found.temperature != calibration.of(other).temperature


def test_bounds_are_fitted_stored_and_kept(tmp_path: Path) -> None:
    made = _scored(tmp_path)
    found = calibration.fit(made, "accuracy=0.80", 0.9)
    assert found.reject.rule == "accuracy=0.8"
    assert found.sets.coverage == 0.9
    assert calibration.of(made).reject is None, "fitting writes nothing"
    with made.writer():
        calibration.store(made, found)
    assert calibration.of(made) == found
    one = calibration.fit(made, reject_at="coverage=0.9")
    assert (one.reject.rule, one.sets) == ("coverage=0.9", found.sets)
    (made.folder / "validation.logits.npy").unlink()
    assert calibration.fit(made, "accuracy=0.8", 0.9) == found, "as stored, without logits"
    with pytest.raises(UsageError, match="chosen on validation images"):
        calibration.fit(made, "accuracy=0.85")


def test_bounds_follow_new_logits_and_what_they_cannot_reach_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = _scored(tmp_path)
    with made.writer():
        calibration.store(made, calibration.fit(made, "coverage=0.9", 0.95))
    before = calibration.of(made)
    _score(made, seed=5)
    after = calibration.of(made)
    assert after.reject.rule == before.reject.rule
    assert after.reject.threshold != before.reject.threshold
    with caplog.at_level(logging.WARNING):
        _score(made, n=12, seed=6)
    assert calibration.of(made).sets is None
    assert calibration.of(made).reject.rule == "coverage=0.9"
    assert "a bound is dropped" in caplog.text


def _changed(made: Run, **fields: Any) -> None:
    path = made.folder / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "fields",
    [{"temperature": 0}, {"temperature": 1e9}, {"temperature": None}, {"temperature": "1"},
     {"n": -1}, {"n": 0.5}, {"reject": None}, {"reject": {}}, {"sets": []},
     {"reject": {"rule": "accuracy=0.9", "threshold": 1.5}},
     {"reject": {"rule": "x" * 99, "threshold": 0.5}},
     {"sets": {"coverage": 1, "threshold": 0.5}},
     {"sets": {"coverage": 0.9, "threshold": -1}}, {"logits": 3}],
    ids=str,
)  # fmt: skip
def test_values_of_a_stranger_outside_their_bounds_are_bad_data(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    made = _scored(tmp_path)
    _changed(made, **fields)
    with pytest.raises(DataError, match=r"cannot read .*calibration\.json") as caught:
        calibration.of(made)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"temperature": NaN, "n": 1}'])
def test_a_damaged_file_is_bad_data(tmp_path: Path, content: bytes) -> None:
    made = _scored(tmp_path)
    (made.folder / "calibration.json").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*calibration\.json"):
        calibration.of(made)
