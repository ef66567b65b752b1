"""What a budget knows of own images before it decides: any source, without the test part."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import Source
from hundredfold.planner.candidates import Setting, Wishes
from hundredfold.planner.look import look
from hundredfold.recipe import Recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Forty images of 60 x 40 pixels in two classes, listed in a table."""
    rng, lines = np.random.default_rng(0), ["file,label"]
    for number in range(40):
        noise = rng.integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{'ab'[number % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "labels.csv"


def at(folder: Path) -> Source:
    return Source(folder=folder, cache=folder.parent / "cache", offline=True)


def test_a_table_is_looked_at_without_its_test_part(table: Path) -> None:
    recipe = Recipe().override({"data": "image_folder(test=0.25, resize='pad')"})
    seen = look(recipe, at(table), 0.1)
    assert (seen.images, seen.validation, seen.classes, seen.side) == (30, 0, 2, 40)
    assert 0 < seen.decoding < float("inf")


def test_candidates_keep_the_other_options_of_the_data(table: Path) -> None:
    text = "image_folder(test=0.25, resize='pad', label_column='label')"
    seen = look(Recipe().override({"data": text}), at(table), 0.1)
    setting = Setting(Wishes(text, {}), seen, "fp32")
    for candidate in (setting.head(64, 20), setting.scratch(20, 1e12)):
        options = candidate.recipe.data.options
        assert (options["test"], options["resize"], options["label_column"]) == (
            0.25, "pad", "label")  # fmt: skip
        assert options["size"] > 0
        assert options["subset"] == candidate.images < seen.images
