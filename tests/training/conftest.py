"""Small trainings in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hundredfold import training
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE
from hundredfold.recipe import Recipe
from hundredfold.run import Run

SMALL: dict[str, Any] = {
    "data": "shapes(size=18, classes=4, images=24)",
    "epochs": 2,
    "batch_size": 16,
    "validation": 0.25,
    "precision": "fp32",
}


@pytest.fixture
def progress() -> training.Progress:
    """Return a progress that nobody sees; runs keep what it says in their log."""
    return training.Progress()


@pytest.fixture
def small_run(tmp_path: Path, progress: training.Progress) -> Callable[..., Run]:
    """Return a function that trains a small recipe with some fields changed."""

    def train(name: str = "a", **fields: object) -> Run:
        options = training.Options(Source(), threads=1, out=tmp_path / "runs", name=name)
        return training.train(Recipe(**(SMALL | fields)), options, progress, ENGINE)

    return train
