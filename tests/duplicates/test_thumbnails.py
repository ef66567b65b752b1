"""Thumbnails of images of any size."""

import numpy as np
import pytest

from hundredfold.duplicates import thumbnails


@pytest.mark.parametrize("size", [8, 20, 32, 64, 100])
def test_thumbnails_average_over_areas(size: int) -> None:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (3, size, size, 3), np.uint8)
    small = thumbnails(images, np.array([2, 0]))
    assert small.shape == (2, 32, 32, 3)
    assert np.abs(small.mean((1, 2)) - images[[2, 0]].mean((1, 2))).max() < 1
    if size == 64:
        means = images[[2, 0]].reshape(2, 32, 2, 32, 2, 3).mean((2, 4))
        assert np.abs(small - means).max() <= 0.51
