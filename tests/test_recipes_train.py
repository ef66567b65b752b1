"""Every recipe that ships trains: two steps of its own model on a few drawn images."""

import math
from pathlib import Path

import pytest
from rich.console import Console

from hundredfold import recipe, study, training
from hundredfold.data import Source
from hundredfold.recipe import Recipe

_FEW = {
    "data": "shapes(size=32, classes=4, images=4)",
    "validation": 0.25,
    "limit": 4,
    "batch_size": 2,
    "epochs": 1,
    "precision": "fp32",  # no probe
}


def _all() -> dict[str, Recipe]:
    """Return each recipe on few images, and each variant of a study that differs from them."""
    found = {name: recipe.load(name) for name in recipe.shipped("")}
    for name in recipe.shipped("studies"):
        variants = study.variants(study.load(name))
        found |= {f"{name}: {label}": what for label, what in variants.items()}
    few = {name: what.override(_FEW) for name, what in found.items()}
    return {what.digest: what for what in reversed(few.values())}


@pytest.mark.parametrize("what", [pytest.param(w, id=w.title) for w in _all().values()])
def test_two_steps_of_a_recipe_that_ships(what: Recipe, tmp_path: Path) -> None:
    progress = training.Progress(Console(quiet=True))
    options = training.Options(Source(), device="cpu", threads=1, out=tmp_path)
    made = training.train(what, options, progress)
    (row,) = made.curve
    assert row["step"] == 2
    assert math.isfinite(row["train.loss"])
    assert made.info["status"] == "done"
