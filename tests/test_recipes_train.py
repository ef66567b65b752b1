"""Every recipe that ships trains: two steps of its own model on a few drawn images."""

import math
from pathlib import Path

import pytest
from safetensors.torch import save_file

from hundredfold import models, recipes, studies, training
from hundredfold.backbones import name_of
from hundredfold.data import Source
from hundredfold.engines import engine_for
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
    found = {name: recipes.load(name) for name in recipes.shipped("")}
    for name in recipes.shipped("studies"):
        variants = studies.variants(studies.load(name))
        found |= {f"{name}: {label}": what for label, what in variants.items()}
    few = {name: what.override(_FEW) for name, what in found.items()}
    return {what.digest: what for what in reversed(few.values())}


def _weights(what: Recipe, folder: Path) -> Path | None:
    """Save random weights of a recipe's network; None where it begins without any.

    A backbone takes its scaling from the catalogue; a network of our own from its weights.
    """
    if not what.weights:
        return None
    model = models.build(what.model, classes=2, size=32, seed=0)
    tensors = {n: t.contiguous() for n, t in model.state_dict().items()}
    if name_of(what.model):
        tensors = {n: t for n, t in tensors.items() if not n.startswith("scale.")}
    file = folder / "weights.safetensors"
    save_file(tensors, file)
    return file


@pytest.mark.parametrize("what", [pytest.param(w, id=w.title) for w in _all().values()])
def test_two_steps_of_a_recipe_that_ships(what: Recipe, tmp_path: Path) -> None:
    progress = training.Progress()
    options = training.Options(
        Source(), device="cpu", threads=1, out=tmp_path, weights=_weights(what, tmp_path)
    )
    made = training.train(what, options, progress, engine_for(what))
    (row,) = made.curve
    assert row["step"] == 2 * max(1, what.strategy.resolve()().views)
    assert math.isfinite(row["train.loss"])
    assert made.info["status"] == "done"
