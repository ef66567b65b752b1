"""A folder of images, one folder a class."""

from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path, rng: np.random.Generator) -> None:
    """Write two classes of images, for training and for the test, into a folder."""
    for number in range(24):
        home = folder / ("train", "train", "test")[number % 3] / f"class{number // 3 % 2}"
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(home / f"{number}.png")
