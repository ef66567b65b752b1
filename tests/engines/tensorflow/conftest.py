"""Tests of the second engine are skipped where it is not installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hundredfold import cli
from hundredfold.run import Run

SMALL = "shapes(size=18, classes=4, images=24)"


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Run]:
    """Return a function that trains on shapes by the command line, or by other options."""

    def call(name: str, *options: str, data: str = SMALL, epochs: int = 2, batch: int = 16) -> Run:
        sizes = ["--epochs", str(epochs), "--batch-size", str(batch), "--set", "validation=0.25"]
        place = ["--data", data, "--threads", "1", "--out", str(tmp_path), "--name", name]
        assert cli.main(["train", *place, *sizes, "--precision", "fp32", *options]) == 0
        return Run(tmp_path / name)

    return call
