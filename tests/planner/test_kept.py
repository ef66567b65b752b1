"""Of the runs of a budget one stays: the best, under the wanted name."""

from pathlib import Path

import pytest

from hundredfold import run
from hundredfold.planner.kept import Kept
from hundredfold.recipe import Recipe
from hundredfold.run import Run


def made(out: Path, name: str, accuracy: float | None, status: str = "done") -> Run:
    """Return a run with that accuracy on validation images; None has not been scored."""
    created = run.create(out, name, Recipe(), {"run.json": {"status": status, "name": name}})
    if accuracy is not None:
        score = {"value": accuracy, "low": 0.0, "high": 1.0, "n": 100}
        created.replace_scores("validation", {"validation.top_1": score})
    return created


@pytest.mark.parametrize(("first", "second", "best"), [(0.8, 0.9, "b"), (0.9, 0.8, "a")])
def test_the_run_with_the_higher_accuracy_stays(
    tmp_path: Path, first: float, second: float, best: str
) -> None:
    kept = Kept(tmp_path, "")
    assert kept.offer(made(tmp_path, "a", first))
    assert kept.offer(made(tmp_path, "b", second)) == (best == "b")
    assert kept.settle().name == best
    assert [found.name for found in run.all_runs(tmp_path)] == [best]
    assert run.open_run("latest", tmp_path).name == best


def test_an_equal_run_does_not_replace_the_earlier_one(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "")
    kept.offer(made(tmp_path, "a", 0.8))
    assert not kept.offer(made(tmp_path, "b", 0.8))
    assert kept.offer(made(tmp_path, "c", 0.1), replaces=True), "it was scored on other images"
    assert kept.settle().name == "c"


def test_the_best_run_gets_the_wanted_name(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "photos")
    names = []
    for accuracy in (0.5, 0.7):
        names.append(kept.free_name(Recipe(), "photos"))
        kept.offer(made(tmp_path, names[-1], accuracy))
    assert names == ["photos", "photos-2"]
    settled = kept.settle()
    assert (settled.name, settled.info["name"]) == ("photos", "photos")
    assert [found.name for found in run.all_runs(tmp_path)] == ["photos"]


def test_only_a_failed_run_of_ones_own_is_discarded(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "photos")
    made(tmp_path, "other", None, "failed")
    kept.discard_failed()
    made(tmp_path, kept.free_name(Recipe(), "photos"), None, "done")
    kept.discard_failed()
    assert {found.name for found in run.all_runs(tmp_path)} == {"other", "photos"}
    made(tmp_path, kept.free_name(Recipe(), "photos"), None, "failed")
    kept.discard_failed()
    assert not (tmp_path / "latest").is_symlink(), "it pointed to the run that is gone"
    assert {found.name for found in run.all_runs(tmp_path)} == {"other", "photos"}
