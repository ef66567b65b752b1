"""Studies: what varies times seeds, which runs they have, and what is compared."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hundredfold import recipes, studies
from hundredfold.errors import UsageError
from hundredfold.run import Run
from hundredfold.studies import LeftOut, Member, Study

MakeRun = Callable[..., Run]

VARY = """
title = "Depth"
base = "resnet-20"
seeds = 2
[overrides]
epochs = 3
data = "digits"
[vary.shallow]
[vary.deep]
"model.depth" = 56
batch_size = 64
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_variants_change_the_base(tmp_path: Path) -> None:
    found = studies.variants(studies.load(written(tmp_path, VARY)))
    assert list(found) == ["shallow", "deep"]
    assert str(found["shallow"].model).startswith("resnet(depth=20")
    assert str(found["deep"].model).startswith("resnet(depth=56")
    assert (found["shallow"].batch_size, found["deep"].batch_size) == (128, 64)
    assert {what.epochs for what in found.values()} == {3}
    assert found["deep"].title == "Depth: deep"


def test_a_variant_may_start_from_a_recipe_of_its_own(tmp_path: Path) -> None:
    text = '[vary.a]\nbase = "simple-cnn"\n[vary.b]\nbase = "resnet-20"'
    found = studies.variants(studies.load(written(tmp_path, text)))
    assert found["a"].digest == recipes.load("simple-cnn").override({}).digest
    assert str(found["b"].model).startswith("resnet(depth=20")


def test_a_base_may_lie_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("epochs = 4", encoding="utf-8")
    text = 'base = "own.toml"\n[vary.a]\n[vary.b]\nlimit = 50'
    found = studies.variants(studies.load(written(tmp_path, text)))
    assert {what.epochs for what in found.values()} == {4}


def test_a_grid_makes_every_combination_and_its_labels(tmp_path: Path) -> None:
    text = 'base = "digits"\n[grid]\nepochs = [1, 2]\n"optimizer.lr" = [0.1, 0.01]'
    found = studies.variants(studies.load(written(tmp_path, text)))
    assert list(found) == [
        "epochs=1, optimizer.lr=0.1",
        "epochs=1, optimizer.lr=0.01",
        "epochs=2, optimizer.lr=0.1",
        "epochs=2, optimizer.lr=0.01",
    ]
    assert "lr=0.01" in str(found["epochs=2, optimizer.lr=0.01"].optimizer)


def test_a_grid_within_variants_names_both(tmp_path: Path) -> None:
    text = 'base = "digits"\n[vary.small]\nlimit = 9\n[vary.all]\n[grid]\nepochs = [1, 2]'
    found = studies.variants(studies.load(written(tmp_path, text)))
    assert list(found) == ["small epochs=1", "small epochs=2", "all epochs=1", "all epochs=2"]
    assert found["small epochs=2"].limit == 9


def test_members_are_every_variant_with_every_seed(tmp_path: Path) -> None:
    found = studies.members(studies.variants(studies.load(written(tmp_path, VARY))), 2)
    assert [(m.label, m.seed) for m in found] == [
        ("shallow", 0),
        ("deep", 0),
        ("shallow", 1),
        ("deep", 1),
    ]
    assert len({m.recipe.digest for m in found}) == 4
    assert all(m.recipe.seed == m.seed for m in found)


@pytest.mark.parametrize(
    ("text", "sentence", "remedy"),
    [
        ("sedes = 3\n[vary.a]", "a study has no key 'sedes'", "did you mean 'seeds'?"),
        ("base = 'digits'", "invalid study", None),
        ("base = 'digits'\nseeds = 0\n[vary.a]", "invalid study", None),
        ("base = 'digits'\nseeds = '3'\n[vary.a]", "invalid study", None),
        ("base = 'digits'\n[grid]\nepochs = []", "invalid study", None),
        ("vary = 3", "invalid study", None),
        ("metric = 'top1'\n[vary.a]", "no score is called 'top1'", "did you mean 'top_1'?"),
        ("[vary.a]\n[reference]\nsource='x'\nvalues={b=0.5}", "invalid study", None),
        ("[vary.a]\n[reference]\nvalues={a=0.5}", "invalid study", None),
        ("[vary.a]\n[reference]\nsource='x'\nvalues={a=nan}", "invalid study", None),
    ],
)
def test_a_study_that_says_nothing_useful_is_one_sentence(
    tmp_path: Path, text: str, sentence: str, remedy: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        studies.load(written(tmp_path, text))
    assert sentence in caught.value.message
    assert remedy is None or caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[vary.a]", "has no base|no base"),
        ("base = 'digit'\n[vary.a]", "no recipe is called 'digit'"),
        ("base = 'digits'\n[vary.a]\nepoch = 3", "'a': a recipe has no key 'epoch'"),
        ("base = 'digits'\n[vary.a]\nmodel = 'resnt'", "'a': no model is called 'resnt'"),
        ("base = 'digits'\n[vary.a]\nepochs = '3'", "'a': invalid recipe: epochs"),
        ("base = 'digits'\n[vary.a]\nseed = 3", "sets the seeds itself"),
        ("base = 'digits'\n[vary.a]\n[vary.b]", "'a' and 'b' are the same recipe"),
    ],
)
def test_a_variant_that_cannot_be_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        studies.variants(studies.load(written(tmp_path, text)))


def test_an_unknown_study_is_answered_with_the_closest() -> None:
    with pytest.raises(UsageError, match="no study is called 'quickstrat'") as caught:
        studies.load("quickstrat")
    assert caught.value.remedy == "did you mean 'quickstart'?"


def two(tmp_path: Path) -> tuple[Study, list[Member]]:
    text = 'title = "T"\nbase = "digits"\n[vary.a]\n[vary.b]\nlimit = 50'
    what = studies.load(written(tmp_path, text))
    return what, studies.members(studies.variants(what), 3)


def test_a_run_counts_when_recipe_and_data_are_the_same_and_it_is_done(
    tmp_path: Path, make_run: MakeRun
) -> None:
    _, members = two(tmp_path)
    data = str(members[0].recipe.data)
    make_run(tmp_path, members[0].recipe)
    make_run(tmp_path, members[1].recipe, digest="other")
    make_run(tmp_path, members[2].recipe, status="stopped")
    make_run(tmp_path, members[3].recipe, status="failed")
    done, begun = studies.find(members, tmp_path, {data: "d1"})
    assert list(done) == [members[0]]
    assert list(begun) == [members[2], members[3]]


def test_titles_do_not_matter_and_a_finished_run_wins(tmp_path: Path, make_run: MakeRun) -> None:
    _, members = two(tmp_path)
    what = members[0].recipe
    make_run(tmp_path, what, status="stopped", name="z")
    make_run(tmp_path, what.override({"title": "another"}), name="a")
    done, begun = studies.find(members[:1], tmp_path, {str(what.data): "d1"})
    assert done[members[0]].name == "a"
    assert begun == {}


def test_damaged_runs_are_passed_over(tmp_path: Path, make_run: MakeRun) -> None:
    _, members = two(tmp_path)
    (make_run(tmp_path, members[0].recipe).folder / "run.json").write_text("{", encoding="utf-8")
    broken = make_run(tmp_path, members[1].recipe).folder / "recipe.toml"
    broken.write_text('model = "gone(depth=1)"', encoding="utf-8")
    assert studies.find(members, tmp_path, {str(members[0].recipe.data): "d1"}) == ({}, {})


def test_the_comparison_is_written_with_what_was_left_out(
    tmp_path: Path, make_run: MakeRun
) -> None:
    what, members = two(tmp_path)
    accuracy = {"a": 0.9, "b": 0.6}
    runs = {
        m: make_run(
            tmp_path, m.recipe, scores={"validation.top_1": accuracy[m.label] + m.seed / 100}
        )
        for m in members[:-1]
    }
    folder = tmp_path / "mine"
    found = studies.conclude(what, folder, runs, [LeftOut("b", 2, "the loss is not finite")])
    assert [(s.label, s.n, round(s.mean, 6)) for s in found.systems] == [
        ("a", 3, 0.91),
        ("b", 2, 0.605),
    ]
    stored = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert stored["metric"] == "validation.top_1"
    assert {(m["label"], m["seed"]) for m in stored["members"]} == {
        (m.label, m.seed) for m in members[:-1]
    }
    assert stored["left_out"][0]["reason"] == "the loss is not finite"
    compared = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert [system["label"] for system in compared["systems"]] == ["a", "b"]
    assert tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))["title"] == "T"


def test_a_reference_stands_beside_the_variants_and_is_not_compared(
    tmp_path: Path, make_run: MakeRun
) -> None:
    text = "base='digits'\n[vary.a]\n[vary.b]\nepochs=2\n"
    what = studies.load(written(tmp_path, text + "[reference]\nsource='me'\nvalues={a=0.5}"))
    first = studies.members(studies.variants(what), 1)[0]
    runs = {first: make_run(tmp_path, first.recipe, scores={"validation.top_1": 0.8})}
    found = studies.conclude(what, tmp_path / "s", runs)
    assert [(s.label, s.n, s.mean) for s in found.systems] == [("a", 1, 0.8)]
    stored = json.loads((tmp_path / "s" / "study.json").read_text(encoding="utf-8"))
    assert stored["reference"] == {"source": "me", "values": {"a": 0.5}}


def test_test_scores_are_compared_only_when_every_run_has_them(
    tmp_path: Path, make_run: MakeRun
) -> None:
    what, members = two(tmp_path)
    both = {"validation.top_1": 0.8, "test.top_1": 0.7}
    runs = {m: make_run(tmp_path, m.recipe, scores=both) for m in members[:4]}
    assert studies.conclude(what, tmp_path / "s", runs).metric == "test.top_1"
    runs[members[4]] = make_run(tmp_path, members[4].recipe, scores={"validation.top_1": 0.8})
    assert studies.conclude(what, tmp_path / "s", runs).metric == "validation.top_1"


def test_a_run_without_the_score_is_left_out_by_name(tmp_path: Path, make_run: MakeRun) -> None:
    what, members = two(tmp_path)
    runs = {
        members[0]: make_run(tmp_path, members[0].recipe, scores={"validation.top_1": 0.8}),
        members[1]: make_run(tmp_path, members[1].recipe),
    }
    studies.conclude(what, tmp_path / "s", runs)
    stored = json.loads((tmp_path / "s" / "study.json").read_text(encoding="utf-8"))
    assert [(o["label"], o["reason"]) for o in stored["left_out"]] == [
        ("b", "it has no validation.top_1")
    ]


def without_validation(one: Run) -> Run:
    one.save_info(one.info | {"data": {"name": "digits", "digest": "d1", "validation": 0}})
    return one


def test_runs_that_kept_no_validation_images_are_compared_once_all_are_tested(
    tmp_path: Path, make_run: MakeRun
) -> None:
    what, members = two(tmp_path)
    runs = {m: without_validation(make_run(tmp_path, m.recipe)) for m in members[:4]}
    with pytest.raises(UsageError, match="has no run to compare") as caught:
        studies.conclude(what, tmp_path / "s", runs)
    assert caught.value.found is not None
    assert "it has no validation images" in caught.value.found
    first = runs[members[0]].folder
    assert f"hundredfold evaluate {first} --split test" in str(caught.value.remedy)
    assert not (tmp_path / "s").exists()
    for one in runs.values():
        one.replace_scores("test", {"test.top_1": {"value": 0.7}})
    assert studies.conclude(what, tmp_path / "s", runs).metric == "test.top_1"


def test_a_run_that_kept_no_validation_images_is_left_out_beside_those_that_did(
    tmp_path: Path, make_run: MakeRun
) -> None:
    what, members = two(tmp_path)
    runs = {
        members[0]: make_run(tmp_path, members[0].recipe, scores={"validation.top_1": 0.8}),
        members[1]: without_validation(make_run(tmp_path, members[1].recipe)),
    }
    assert studies.conclude(what, tmp_path / "s", runs).metric == "validation.top_1"
    stored = json.loads((tmp_path / "s" / "study.json").read_text(encoding="utf-8"))
    assert [(o["label"], o["reason"]) for o in stored["left_out"]] == [
        ("b", "it has no validation images")
    ]


def test_with_one_seed_the_images_are_paired(tmp_path: Path, make_run: MakeRun) -> None:
    what, members = two(tmp_path)
    labels = np.arange(200) % 2
    runs = {}
    for member, wrong in zip(members[:2], (10, 80), strict=True):
        logits = np.eye(2, dtype=np.float32)[labels]
        logits[:wrong] = logits[:wrong, ::-1]
        score = {"validation.top_1": 1 - wrong / 200}
        runs[member] = make_run(tmp_path, member.recipe, scores=score)
        runs[member].save_logits("validation", logits, labels, np.arange(200))
    (pair,) = studies.conclude(what, tmp_path / "s", runs).pairs
    assert pair.basis == "images"
    assert pair.verdict == "ahead"


def test_a_study_without_a_run_says_why(tmp_path: Path) -> None:
    what, _ = two(tmp_path)
    with pytest.raises(UsageError, match="has no run to compare") as caught:
        studies.conclude(what, tmp_path / "s", {}, [LeftOut("a", 0, "out of memory")])
    assert "out of memory" in str(caught.value)
    assert not (tmp_path / "s").exists()
