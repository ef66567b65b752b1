"""Networks that have learned elsewhere, and runs that begin with them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hundredfold import cli, training
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE
from hundredfold.recipe import Recipe
from hundredfold.run import Run

BACKBONE = "wrn(depth=10, width=1)"
OTHER = "shapes(size=20, classes=3, images=40)"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that has learned four other classes."""
    out = tmp_path_factory.mktemp("taught")
    arguments = ["train", "--data", "shapes(size=20, classes=4, images=60)", "--model", BACKBONE,
                 "--epochs", "2", "--batch-size", "16", "--precision", "fp32", "--threads", "1",
                 "--out", str(out), "--name", "four"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(out / "cache"))
        assert cli.main(arguments) == 0
    return out / "four"


@pytest.fixture
def train(taught: Path, tmp_path: Path, progress: training.Progress) -> Callable[..., Run]:
    """Return a function that trains from that run's weights, with a cache of its own."""

    def go(name: str = "a", **fields: object) -> Run:
        source = replace(Source(), cache=tmp_path / "cache")
        options = training.Options(source, threads=1, out=tmp_path / "runs", name=name)
        known = {"data": OTHER, "epochs": 3, "batch_size": 16, "precision": "fp32",
                 "validation": 0.25, "model": BACKBONE, "weights": str(taught),
                 "strategy": "linear_probe"}  # fmt: skip
        return training.train(Recipe(**(known | fields)), options, progress, ENGINE)

    return go


def _backbone(run: Run) -> dict[str, torch.Tensor]:
    actual = load_file(run.best())
    inside = {
        n.removeprefix("backbone."): t for n, t in actual.items() if n.startswith("backbone.")
    }
    return {n: t for n, t in inside.items() if not n.endswith("num_batches_tracked")}


@pytest.fixture
def backbone() -> Callable[[Run], dict[str, torch.Tensor]]:
    """Return a function that reads what is under a run's head, by its names without a head."""
    return _backbone
