"""What mattered: networks that look at one known place show it."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from hundredfold.occlusion import log_odds, occlusion, within

Images = NDArray[np.uint8]


def corner(images: Images) -> NDArray[np.float32]:
    """Return logits (n, 3) of a network that sees only the upper right corner's brightness."""
    light = images[:, :4, -4:].mean(axis=(1, 2, 3)) / 255
    return np.stack([5 * light, 0 * light, -5 * light], 1).astype(np.float32)


def test_the_place_that_a_network_looks_at_is_brightest() -> None:
    image = np.zeros((32, 24, 3), np.uint8)
    image[:4, -4:] = 255
    falls = occlusion(corner, image, 0, 8)
    assert falls.shape == (8, 8)
    assert np.unravel_index(falls.argmax(), falls.shape) in ((0, 7), (0, 6), (1, 7), (1, 6))
    assert np.abs(falls[:, :4]).max() == 0
    assert np.allclose(occlusion(corner, image, 0, 8)[3:], 0)


def test_log_odds_are_those_of_the_probability_and_stay_finite() -> None:
    logits = np.array([[1.0, 2.0, 0.5], [900.0, 0.0, 0.0], [-900.0, 0.0, 0.0]], np.float32)
    p = np.exp(1.0) / (np.exp(1.0) + np.exp(2.0) + np.exp(0.5))
    odds = log_odds(logits, 0)
    assert odds[0] == pytest.approx(np.log(p / (1 - p)))
    assert odds[1] == pytest.approx(900 - np.log(2))
    assert odds[2] == pytest.approx(-900 - np.log(2))


def test_a_slow_network_gets_no_maps_within_little_time() -> None:
    def slow(images: Images) -> NDArray[np.float32]:
        time.sleep(0.01 * len(images))
        return corner(images)

    image = np.zeros((32, 32, 3), np.uint8)
    assert within(slow, [image] * 6, [0] * 6, 0.2) == []
    assert len(within(corner, [image] * 6, [0] * 6, 60)) == 6
    assert within(corner, [], [], 1) == []
