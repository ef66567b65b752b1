"""Small data sets as users have them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import Source

Photos = Callable[..., Path]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(folder=None, cache=tmp_path / "cache", offline=True)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """Write class folders of PNG files: photos({"train/cats": 3, "train/dogs": 3})."""

    def make(counts: dict[str, int], size: int = 16) -> Path:
        root, rng = tmp_path / "photos", np.random.default_rng(1)
        for place, count in counts.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (size, size, 3), np.uint8)
                Image.fromarray(pixels).save(root / place / f"{number}.png")
        return root

    return make
