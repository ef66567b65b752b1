"""Studies with cross-validation: a training per fold, and scores over all images."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hundredfold import studies
from hundredfold.api import studying
from hundredfold.errors import UsageError
from hundredfold.metrics import wilson
from hundredfold.run import Run

MakeRun = Callable[..., Run]
FIELDS = {"vary": {"a": "simple-cnn", "b": "resnet-20"}, "seeds": 2, "folds": 3, "name": "cv"}


def _concluded(tmp_path: Path, make_run: MakeRun, *, lacking: int = 0) -> dict[str, object]:
    """Conclude a study of runs with logits of nine images a fold; return study.json."""
    study = studies.define(FIELDS)
    runs = {}
    for member in studies.members(studies.variants(study), study.seeds, study.folds)[lacking:]:
        right = 5 + member.recipe.fold + (member.label == "a")
        run = make_run(tmp_path, member.recipe, scores={"validation.top_1": right / 9})
        run.save_info(run.info | {"data": {"name": "digits", "digest": "d1", "superclass_of": []}})
        labels = np.arange(9) % 3
        logits = np.eye(3, dtype=np.float32)[(labels + (np.arange(9) >= right)) % 3]
        run.save_logits("validation", logits, labels, np.arange(9), {})
        runs[member] = run
    studies.conclude(study, tmp_path / "cv", runs)
    return dict(json.loads((tmp_path / "cv" / "study.json").read_text()))


def test_each_seed_has_a_training_per_fold() -> None:
    study = studies.define(FIELDS)
    members = studies.members(studies.variants(study), study.seeds, study.folds)
    assert len(members) == 12
    assert len({member.recipe.digest for member in members}) == 12
    assert [member.unit for member in members if member.label == "a"] == [0, 1, 2, 3, 4, 5]
    assert str(members[2]) == "a, seed 0, fold 1"


def test_scores_cover_all_images_and_pairs_are_folds(tmp_path: Path, make_run: MakeRun) -> None:
    stored = _concluded(tmp_path, make_run)
    entries = {(e["label"], e["seed"]): e for e in stored["cross_validated"]}
    assert set(entries) == {("a", 0), ("a", 1), ("b", 0), ("b", 1)}
    entry = entries["a", 0]
    assert (entry["value"], entry["n"]) == (pytest.approx((6 + 7 + 8) / 27), 27)
    assert (entry["low"], entry["high"]) == pytest.approx(wilson(21 / 27, 27))
    (pair,) = json.loads((tmp_path / "cv" / "comparison.json").read_text())["pairs"]
    assert (pair["basis"], pair["seeds"], pair["difference"]) == ("folds", 6, pytest.approx(1 / 9))


def test_a_seed_that_lacks_a_fold_has_no_score_over_all_images(
    tmp_path: Path, make_run: MakeRun
) -> None:
    stored = _concluded(tmp_path, make_run, lacking=1)
    found = {(e["label"], e["seed"]) for e in stored["cross_validated"]}
    assert found == {("a", 1), ("b", 0), ("b", 1)}


def test_the_page_shows_folds(tmp_path: Path, make_run: MakeRun) -> None:
    _concluded(tmp_path, make_run)
    page = studying.Study(tmp_path / "cv").report().read_text()
    assert "2 seeds of 3 folds" in page
    assert "over 6 folds" in page
    assert "over all 27 images" in page
    assert "seed 1, fold 2" in page


def test_folds_of_a_call_give_the_study_a_name_of_its_own(tmp_path: Path) -> None:
    options = {"out": tmp_path, "folds": 3, "seeds": 1}
    plan = studying.prepare("quickstart", options)
    assert plan.folder.name == "quickstart-3-folds"
    assert {member.recipe.fold for member in plan.members} == {0, 1, 2}
    assert studying.prepare("quickstart", {"out": tmp_path}).folder.name == "quickstart"


@pytest.mark.parametrize(("folds", "said"), [(1, "no cross-validation"), (-1, "out of range")])
def test_folds_that_are_none_are_refused(tmp_path: Path, folds: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        studying.prepare("quickstart", {"out": tmp_path, "folds": folds})
    with pytest.raises(UsageError, match="a study sets the folds itself"):
        study = studies.define({"vary": {"a": {"folds": 5}, "b": {"epochs": 3}}})
        studies.variants(study)
