"""A run from a stranger: recipe and weights are compared before either is built."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hundredfold import models, recipe, recipes, run
from hundredfold.engines.pytorch.inference import open_model
from hundredfold.errors import DataError, HundredfoldError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.weights import files

CPU = torch.device("cpu")
GOOD = {"classes": '["a", "b", "c"]', "size": "18"}


def _tensors() -> dict[str, Tensor]:
    return models.build("simple_cnn", classes=3, size=18, seed=0).state_dict()


def _names(text: str) -> list[str]:
    """Return the class names that the weights give, and others where they give none."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return ["?"]
    return names if isinstance(names, list) and all(isinstance(n, str) for n in names) else ["?"]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., run.Run]:
    """Return a function that makes a run with weights and metadata of any kind."""

    def make(tensors: dict[str, Tensor] | None = None, **metadata: str) -> run.Run:
        new_run = run.create(tmp_path, "a", Recipe())
        written = GOOD | metadata
        files.write(new_run.best(), tensors or _tensors(), written)
        new_run.save_info({"status": "done", "data": {"classes": _names(written["classes"])}})
        return new_run

    return make


def test_a_run_that_fits_opens(made: Callable[..., run.Run]) -> None:
    opened = open_model(made(), CPU)
    assert opened.classes == ("a", "b", "c")
    for name, tensor in opened.network.state_dict().items():
        assert torch.equal(tensor, _tensors()[name])


@pytest.mark.parametrize(
    "metadata",
    [
        {"classes": "[1, 2, 3]"},
        {"classes": "{}"},
        {"classes": "[" * 100_000},
        {"classes": "not json"},
        {"size": "0"},
        {"size": "1000000000"},
        {"size": "9" * 5000},
        {"size": "-18"},
    ],
    ids=lambda pair: str(pair)[:40],
)
def test_metadata_that_say_nothing_of_use_are_refused(
    made: Callable[..., run.Run], metadata: dict[str, str]
) -> None:
    with pytest.raises(DataError, match="does not say which classes"):
        open_model(made(**metadata), CPU)


def test_more_classes_than_the_weights_have_logits_are_refused(
    made: Callable[..., run.Run],
) -> None:
    with pytest.raises(DataError, match="do not fit the model"):
        open_model(made(classes=json.dumps([str(k) for k in range(50_000)])), CPU)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(
    made: Callable[..., run.Run], number: float
) -> None:
    tensors = _tensors()
    tensors["dense1.bias"] = torch.full_like(tensors["dense1.bias"], number)
    with pytest.raises(DataError) as caught:
        open_model(made(tensors), CPU)
    assert "not finite" in str(caught.value)


def test_weights_of_another_type_are_refused(
    made: Callable[..., run.Run],
) -> None:
    with pytest.raises(DataError, match="do not fit"):
        open_model(made({n: t.to(torch.int32) for n, t in _tensors().items()}), CPU)


@pytest.mark.parametrize(
    "model",
    [
        "os.system('touch canary')",
        "__import__('os').system('touch canary')",
        "hundredfold.cli.main",
        "simple_cnn.__globals__",
        "wrn(depth=__import__('os').system('touch canary'))",
        "wrn(depth=(lambda: 1)())",
        "../../canary",
        "wrn(depth=1000000000)",
        "densenet(depth=1000000000)",
        "wrn(width=1000000000000)",
        "wrn(depth=10, width=9223372036854775807)",
    ],
)
def test_a_recipe_that_would_run_code_or_fill_the_memory_is_one_sentence(
    made: Callable[..., run.Run], elsewhere: Path, model: str
) -> None:
    actual = made()
    text = (actual.folder / "recipe.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("model")]
    lines.append(f"model = {json.dumps(model)}")
    (actual.folder / "recipe.toml").write_text("\n".join(lines))
    began = time.monotonic()
    with pytest.raises((UsageError, DataError)):
        open_model(run.Run(actual.folder), CPU)
    assert time.monotonic() - began < 5
    assert not (elsewhere / "canary").exists()


@pytest.mark.parametrize("field", ["data", "augment", "loss", "optimizer", "schedule"])
@pytest.mark.parametrize(
    "text", ["os.system('touch canary')", "a.b.c", "eval('open(1)')", "f'{1}'"]
)
def test_a_dotted_name_is_no_part_of_a_recipe(field: str, text: str, elsewhere: Path) -> None:
    fields: dict[str, Any] = {field: text}
    with pytest.raises(HundredfoldError):
        recipe.from_fields(fields)
    assert not (elsewhere / "canary").exists()


def test_a_recipe_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    began = time.monotonic()
    with pytest.raises(UsageError, match="cannot read the recipe"):
        recipes.load(str(path))
    assert time.monotonic() - began < 1
