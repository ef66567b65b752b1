"""Resolutions: which size when."""

import pytest

from hundredfold.errors import UsageError
from hundredfold.optim import resolutions


def test_full_is_the_images_own_size() -> None:
    assert {resolutions.full(step / 10, 48) for step in range(10)} == {48}


def test_progressive_takes_20_then_24_then_32_pixels() -> None:
    sizes = [resolutions.progressive(step / 20, 32) for step in range(20)]
    assert sizes == [20] * 7 + [24] * 7 + [32] * 6


def test_progressive_takes_other_stages() -> None:
    sizes = [resolutions.progressive(p, 64, shares=(0.5,), until=(0.5,)) for p in (0, 0.49, 0.5)]
    assert sizes == [32, 32, 64]


@pytest.mark.parametrize(("shares", "until"), [((0.5,), (0.2, 0.4)), ((0.5, 0.7), (0.6, 0.3))])
def test_stages_that_make_no_sense_are_refused(
    shares: tuple[float, ...], until: tuple[float, ...]
) -> None:
    with pytest.raises(UsageError, match="does not pair"):
        resolutions.progressive(0.1, 32, shares=shares, until=until)
