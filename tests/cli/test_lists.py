"""`runs`, `recipes` and `doctor`: what is there."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hundredfold import machine, recipe, recipes, wording
from hundredfold.cli import main
from hundredfold.cli._table import table
from hundredfold.recipe import Recipe
from hundredfold.run import Run

MakeRun = Callable[..., Run]
Captured = pytest.CaptureFixture[str]


def found(capsys: Captured) -> dict[str, object]:
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_runs_lists_what_was_trained(elsewhere: Path, make_run: MakeRun, capsys: Captured) -> None:
    scores = {"validation.top_1": 0.5, "test.top_1": 0.4567}
    make_run(elsewhere / "runs", Recipe(), name="one", scores=scores)
    make_run(elsewhere / "runs", Recipe(seed=1), name="two", status="stopped")
    assert main(["runs"]) == 0
    _, one, two = capsys.readouterr().out.splitlines()
    assert one.split()[:5] == ["one", "done", "simple_cnn", "digits", "2"]
    assert "50.00 %" in one
    assert "45.67 %" in one
    assert two.split()[:2] == ["two", "stopped"]
    assert main(["runs", "--json"]) == 0
    first, second = found(capsys)["runs"]  # type: ignore[misc]
    assert (first["name"], first["test"], second["test"]) == ("one", 0.4567, None)


def test_a_damaged_run_is_listed_as_such(
    elsewhere: Path, make_run: MakeRun, capsys: Captured
) -> None:
    made = make_run(elsewhere / "runs", Recipe(), name="one")
    (made.folder / "run.json").write_text("{", encoding="utf-8")
    assert main(["runs"]) == 0
    assert "damaged" in capsys.readouterr().out


def test_no_runs_is_said(elsewhere: Path, capsys: Captured) -> None:
    assert main(["runs"]) == 0
    assert "no runs in runs" in capsys.readouterr().out


def test_one_run_is_shown_in_full(elsewhere: Path, make_run: MakeRun, capsys: Captured) -> None:
    make_run(elsewhere / "mine", Recipe(), name="one", scores={"validation.top_1": 0.5})
    assert main(["runs", "latest", "--out", "mine"]) == 0
    text = capsys.readouterr().out
    assert "validation.top_1" in text
    assert 'model       = "simple_cnn' in text
    assert main(["runs", "one", "--out", "mine", "--json"]) == 0
    assert found(capsys)["recipe"] == Recipe().override({}).model_dump()


def test_recipes_lists_all_that_ship(capsys: Captured) -> None:
    assert main(["recipes"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in (*recipes.shipped(""), *recipes.shipped("studies")))


def test_a_recipe_is_shown_as_it_would_be_trained(capsys: Captured) -> None:
    assert main(["recipes", "wrn-28-10"]) == 0
    shown = recipe.from_fields(tomllib.loads(capsys.readouterr().out))
    assert shown.digest == recipes.load("wrn-28-10").digest


def test_a_study_is_shown_with_its_variants(capsys: Captured) -> None:
    assert main(["recipes", "quickstart"]) == 0
    assert "[vary." in capsys.readouterr().out
    assert main(["recipes", "quickstart", "--json"]) == 0
    assert len(found(capsys)["variants"]) == 3  # type: ignore[arg-type]


def test_the_doctor_looks_at_everything(elsewhere: Path, capsys: Captured) -> None:
    assert main(["doctor", "--json"]) == 0
    seen = found(capsys)
    assert seen["torch"]["fp32_gflops"] > 0  # type: ignore[index]
    assert seen["memory"]["total_bytes"] > seen["memory"]["free_bytes"] > 0  # type: ignore[index]
    assert seen["disk"]["folder"] == str(elsewhere)  # type: ignore[index]
    assert isinstance(seen["advice"], list)


def test_the_doctor_speaks_in_lines(elsewhere: Path, capsys: Captured) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "processor cores" in text
    assert "advice: CIFAR-100 is not in the cache: hundredfold data fetch cifar100" in text


def test_a_folder_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert machine.nearest_folder(tmp_path / "a" / "b") == (tmp_path, True)


def test_tables_align_words_left_and_numbers_right() -> None:
    assert table(("name", "n"), [("a", "10"), ("±b", "9")]) == "name   n\na     10\n±b     9\n"


def test_figures_are_said_as_people_say_them() -> None:
    spans = [wording.seconds(s) for s in (4.12, 47.6, 200, 7500, None)]
    assert spans == ["4.1 s", "47.6 s", "3 min 20 s", "2 h 05 min", "–"]
    assert [wording.memory(b) for b in (900, 12_000, 3.44e9)] == ["900 B", "12 kB", "3.44 GB"]
    assert [wording.percent(p, 2) for p in (0.8046, None)] == ["80.46 %", "–"]
