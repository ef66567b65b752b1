import pytest

from hundredfold.recipe import Recipe


def test_a_mean_has_an_interval_from_two_values_on():
    import _runs

    assert _runs.mean([0.5]) == {"value": 0.5, "low": None, "high": None, "n": 1}
    found = _runs.mean([0.4, 0.6])
    assert found["value"] == pytest.approx(0.5)
    assert found["low"] == pytest.approx(0.5 - 12.706 * 0.1, abs=1e-3)  # Student's t, 1 degree
    assert _runs.worded(_runs.mean([])) == "-"
    assert _runs.worded(_runs.mean([0.5])) == "50.0 % (n = 1)"


def test_a_run_that_is_not_finished_is_refused(tmp_path, make_run):
    import _runs

    made = make_run(tmp_path, Recipe(), status="stopped")
    with pytest.raises(RuntimeError, match="not finished"):
        _runs.read(made.folder)


def test_accuracies_are_those_that_the_run_holds(tmp_path, make_run):
    import _runs

    made = make_run(tmp_path, Recipe(seed=3), scores={"validation.top_1": 0.7})
    found = _runs.read(made.folder)
    assert (found["seed"], found["validation"], found["test"]) == (3, 0.7, None)


def test_a_command_that_fails_says_why():
    import _runs

    with pytest.raises(RuntimeError, match="no-such-recipe"):
        _runs.hundredfold("train", "no-such-recipe")


def test_finished_runs_of_other_options_are_not_passed_off_as_these(tmp_path):
    import _runs

    (tmp_path / "one.asked.json").write_text('{"asked": ["--epochs", "1", ""], "wall_seconds": 1}')
    with pytest.raises(RuntimeError, match="other options"):
        _runs.train(tmp_path, "one", "--epochs", "2")
