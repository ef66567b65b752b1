"""A small training that every test of the API may ask for."""

from pathlib import Path
from typing import Any

import pytest

import hundredfold as hf

SMALL: dict[str, Any] = {
    "data": "shapes(size=18, classes=3, images=40)",
    "epochs": 2,
    "batch_size": 16,
    "precision": "fp32",
    "threads": 1,
    "device": "cpu",
    "progress": "none",
}


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    return SMALL


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> hf.Run:
    """Return a finished run; tests that change it make one of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return hf.train(**SMALL, out=tmp_path_factory.mktemp("runs"), name="a")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Return the test images as PNG files."""
    from PIL import Image

    from hundredfold import data

    part = data.load(SMALL["data"], data.Source()).parts["test"]()
    paths = [tmp_path / f"{row:02d}.png" for row in range(8)]
    for path, image in zip(paths, part.pixels, strict=False):
        Image.fromarray(image).save(path)
    return paths
