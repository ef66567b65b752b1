"""A little CIFAR-100 as it is published."""

from pathlib import Path

import numpy as np


def write(folder: Path, rng: np.random.Generator) -> None:
    """Write the official binary files, with two label bytes an image, into a folder."""
    home = folder / "cifar-100-binary"
    home.mkdir()
    for file in ("train.bin", "test.bin"):
        rows = rng.integers(0, 256, (40, 2 + 3072), np.uint8)
        rows[:, :2] = (np.arange(40) % 10)[:, None]
        (home / file).write_bytes(rows.tobytes())
