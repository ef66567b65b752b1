"""The search on a made-up objective: it finds, stops, keeps, and goes on after a kill."""

import json
from pathlib import Path

import pytest

from hundredfold.errors import CheckError, MissingError, UsageError
from hundredfold.executors import Outcome
from hundredfold.studies.search.journal import rungs
from hundredfold.studies.search.record import opened
from tests.studies.search.conftest import EPOCHS, FIRST, Killed, Made, Runs, Steps, accuracy


def test_rungs_are_a_ninth_a_third_and_so_on() -> None:
    assert rungs(9) == (1, 3)
    assert rungs(100) == (12, 36)
    assert rungs(3) == (1,)
    assert rungs(1) == ()
    assert rungs(0.5) == ()


def test_the_recipe_is_the_first_trial_and_the_best_is_found(made: Made) -> None:
    best = made.carry_out(Steps(made.runs))
    trials = made.journal().trials()
    assert len(trials) == 12 and trials[0].values == FIRST
    done = {t.number: accuracy(t.values, EPOCHS) for t in trials if t.state == "done"}
    assert best.number == max(done, key=lambda n: done[n])
    assert best.score == done[best.number] > accuracy(FIRST, EPOCHS)
    assert made.runs.won == [best.number]


def test_losers_lose_their_weights_at_once_and_the_winner_keeps_them(made: Made) -> None:
    best = made.carry_out(Steps(made.runs))
    assert made.runs.weights == {best.number}
    assert made.runs.most_weights <= 2  # the best so far, and the one that trains


def test_worse_trials_are_stopped_at_a_rung_and_never_trained_on(made: Made) -> None:
    made.carry_out(Steps(made.runs))
    stopped = [t for t in made.journal().trials() if t.state == "stopped"]
    assert len(stopped) >= 4
    for trial in stopped:
        assert max(trial.rungs) in rungs(EPOCHS)
        assert len(made.runs.curves[trial.number]) == max(trial.rungs)
        rivals = [t.rungs[max(trial.rungs)] for t in made.journal().trials()
                  if max(trial.rungs) in t.rungs]  # fmt: skip
        assert trial.rungs[max(trial.rungs)] < max(rivals)
    assert sum(map(len, made.runs.curves.values())) < 12 * EPOCHS


def test_no_more_trials_run_than_there_are_slots(made: Made) -> None:
    steps = Steps(made.runs, slots=3)
    made.carry_out(steps)
    assert steps.at_once == 3
    assert len(made.journal().trials()) == 12


def test_a_kill_at_any_moment_loses_and_doubles_no_trial(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra tune is not installed")
    undisturbed = Made(tmp_path / "undisturbed", Runs(), trials=5)
    undisturbed.folder.mkdir()
    wanted = undisturbed.carry_out(steps := Steps(undisturbed.runs))
    for moment in range(1, steps.step + 1, 3):
        made = Made(tmp_path / str(moment), Runs(), trials=5)
        made.folder.mkdir()
        with pytest.raises(Killed):
            made.carry_out(Steps(made.runs, kill_at=moment))
        best = made.carry_out(Steps(made.runs))
        assert (best.number, best.values) == (wanted.number, wanted.values)
        trials = made.journal().trials()
        assert [t.values for t in trials] == [t.values for t in undisturbed.journal().trials()]
        assert [t.state for t in trials] == [t.state for t in undisturbed.journal().trials()]
        assert all(len(curve) <= EPOCHS for curve in made.runs.curves.values())
        assert made.runs.weights == {best.number}


def test_a_journal_that_a_kill_tore_is_read_up_to_its_last_whole_line(made: Made) -> None:
    journal = made.journal()
    first = journal.ask()
    path = made.folder / "search.journal"
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x","study_')
    path.with_name("search.journal.lock").symlink_to(path)  # Optuna's lock, which was held
    again = made.journal()
    assert again.trials() == [first]
    assert again.ask().number == 1


def test_a_trial_without_all_its_values_is_drawn_anew(made: Made) -> None:
    made.journal().ask()
    path = made.folder / "search.journal"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))  # its last value was never written
    trials = [made.journal().ask()]
    assert trials[0].values == FIRST
    assert made.journal().trials() == trials


def test_a_trial_that_diverges_is_passed_over_and_one_that_is_killed_is_resumed(made: Made) -> None:
    made.trials = 4
    killed: list[int] = []

    def outcome(number: int) -> Outcome | None:
        if number == 1:
            return Outcome(5, {}, "the loss is not finite in epoch 1, step 3")
        if number == 2 and not killed:
            killed.append(number)
            return Outcome(137, {}, "ended by SIGKILL")
        return None

    made.carry_out(Steps(made.runs, outcome=outcome))
    trials = made.journal().trials()
    assert trials[1].state == "stopped" and "not finite" in trials[1].reason
    assert trials[2].state in ("done", "stopped") and killed == [2]


def test_a_recipe_that_cannot_be_trained_is_its_own_error(made: Made) -> None:
    steps = Steps(made.runs, outcome=lambda _: Outcome(4, {}, "no weights"))
    with pytest.raises(MissingError, match="trial 0 failed"):
        made.carry_out(steps)
    diverging = Steps(made.runs, outcome=lambda _: Outcome(5, {}, "the loss is not finite"))
    with pytest.raises(CheckError, match="no trial of the search was finished"):
        made.carry_out(diverging)


def test_a_budget_keeps_the_time_of_the_comparison(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial takes 9 s: a tenth more for 3 pairs is 59.4 s of 200 s."""
    made.trials, made.budget = None, 200.0
    search = made.search()
    spent = type(search.record).spent
    monkeypatch.setattr(
        type(search.record), "spent",
        property(lambda _: float(sum(map(len, made.runs.curves.values())))),
    )  # fmt: skip
    monkeypatch.setattr(type(search._stopwatch), "whole", lambda *_: (9.0, True))
    executor = Steps(made.runs)
    search.run(executor)  # type: ignore[arg-type]
    total = sum(map(len, made.runs.curves.values()))
    assert 200 - 59.4 - 9 - 9 <= total <= 200 - 59.4
    assert isinstance(spent, property)


def test_a_budget_that_no_training_fits_in_is_refused(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.trials, made.budget = None, 20.0
    search = made.search()
    monkeypatch.setattr(type(search._stopwatch), "whole", lambda *_: (9.0, True))
    with pytest.raises(UsageError, match="too short for a search"):
        search.run(Steps(made.runs))  # type: ignore[arg-type]


def test_other_options_of_the_same_name_are_refused(tmp_path: Path) -> None:
    opened(tmp_path, {"trials": 4, "budget": None}, {}, here=False).write([])
    again = opened(tmp_path, {"trials": 4, "budget": None}, {}, here=False)
    assert again.status == "searching"
    with pytest.raises(UsageError) as caught:
        opened(tmp_path, {"trials": 8, "budget": None}, {}, here=False)
    assert "trials was 4, and is 8" in str(caught.value)


def test_the_time_and_the_trials_are_on_record(made: Made) -> None:
    made.carry_out(Steps(made.runs))
    stored = json.loads((made.folder / "search.json").read_text())
    assert len(stored["trials"]) == 12 and stored["energy"] == {}
    before = stored["spent"]
    assert made.record().spent >= before
