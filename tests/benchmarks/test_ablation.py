from pathlib import Path

import pytest


def test_every_row_changes_what_it_says_of_the_recipe():
    import ablation

    from hundredfold import recipes

    whole = recipes.load(ablation.RECIPE)
    for name, change in ablation.changes([0.1], whole.epochs).items():
        changed = whole.override({}, change.sets).model_dump()
        differing = [key for key, value in whole.model_dump().items() if changed[key] != value]
        assert len(differing) == len(change.sets), name
        assert change.sets or change.before or name == ablation.WHOLE


def test_differences_and_times_are_taken_seed_by_seed():
    import ablation

    whole = [{"validation": 0.5, "seconds": 10.0}, {"validation": 0.6, "seconds": 20.0}]
    runs = [{"validation": 0.4, "seconds": 20.0}, {"validation": 0.4, "seconds": 80.0}]
    found = ablation.row("no whitening", runs, whole)
    assert found["difference"]["value"] == pytest.approx(-0.15)
    assert found["slower"] == {"value": 3.0, "low": 2.0, "high": 4.0}


def test_without_a_probe_every_convolution_stays_the_librarys(monkeypatch):
    import ablation

    from hundredfold.compute import autotune

    monkeypatch.setattr(autotune, "pays", autotune.pays)  # so that it is put back
    assert autotune.pays(10**9, 10**6)
    exec(ablation.changes([], 9)["library convolutions"].before)
    assert not autotune.pays(10**9, 10**6)


def test_a_row_is_trained_beside_the_whole_recipe(benchmark):
    small = ("data=shapes(classes=4, images=20, size=16)", "model=speednet(width=0.125)",
             "epochs=1", "batch_size=8", "micro_batch=0", "precision=fp32")  # fmt: skip
    sets = [text for change in small for text in ("--set", change)]
    table, facts = benchmark(
        "ablation", "--only", "no whitening", "--only", "library convolutions",
        "--only", "full resolution, 3/4 of the epochs", "--seeds", "1", "--threads", "1", *sets,
    )  # fmt: skip
    names = [row["change"] for row in facts["rows"]]
    fewer = "full resolution, 3/4 of the epochs"
    assert names == ["whole recipe", "no whitening", fewer, "library convolutions"]
    assert len(table) == 5
    whole, plain, fewer, library = facts["rows"]
    stored = [Path("runs/ablation", one["runs"][0]["run"], "recipe.toml").read_text()
              for one in (whole, plain, fewer)]  # fmt: skip
    assert "epochs = 0.75" in " ".join(stored[2].split())
    assert "width=0.125, whiten=True" in stored[0]
    assert "width=0.125, whiten=False" in stored[1]
    assert library["validation"]["value"] == whole["validation"]["value"]  # no probe at this size
