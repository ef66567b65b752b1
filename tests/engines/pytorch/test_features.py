"""Features are computed once, for the requested rows, and continue where they stopped."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from hundredfold import augment
from hundredfold.engines.pytorch import features
from hundredfold.engines.pytorch.features import Request, View, compute, count_missing

PIXELS = np.random.default_rng(0).integers(0, 256, (1200, 4, 4, 3), dtype=np.uint8)


def means(images: Tensor) -> Tensor:
    """Three features: the mean of each channel."""
    return images.float().mean((2, 3))


class Counted:
    """Count the requested images, and raise after a number of them."""

    def __init__(self, limit: int = 10**9) -> None:
        self.images, self.limit = 0, limit

    def __call__(self, images: Tensor) -> Tensor:
        if self.images + len(images) > self.limit:
            raise KeyboardInterrupt
        self.images += len(images)
        return means(images)


def request(rows: Any, view: View) -> Request:
    return Request(PIXELS, np.asarray(rows), 3, view, ["w"])


def computed(extract: Any, rows: Any, cache: Path, view: View | None = None) -> Any:
    return compute(extract, request(rows, view or View()), cache)


def test_each_row_holds_the_features_of_its_image(tmp_path: Path) -> None:
    rows = [0, 3, 511, 512, 1199]
    actual = computed(means, rows, tmp_path)
    assert actual.shape == (1200, 3)
    np.testing.assert_allclose(actual[rows], PIXELS[rows].mean((1, 2)), rtol=1e-5)


def test_only_missing_rows_are_computed(tmp_path: Path) -> None:
    first, second = Counted(), Counted()
    computed(first, range(100), tmp_path)
    actual = computed(second, range(50, 700), tmp_path)
    assert (first.images, second.images) == (100, 600)
    np.testing.assert_allclose(actual[:700], PIXELS[:700].mean((1, 2)), rtol=1e-5)


def test_missing_rows_are_counted_without_computing_or_writing(tmp_path: Path) -> None:
    assert count_missing(request(range(700), View()), tmp_path) == 700
    assert list(tmp_path.iterdir()) == []
    computed(means, range(100), tmp_path)
    assert count_missing(request(range(50, 700), View()), tmp_path) == 600
    assert count_missing(request(range(100), View(1)), tmp_path) == 100


def test_a_killed_computation_continues(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        computed(Counted(limit=1100), range(1200), tmp_path)
    rest = Counted()
    actual = computed(rest, range(1200), tmp_path)
    assert rest.images == 1200 - 1024
    np.testing.assert_allclose(actual, PIXELS.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(("apart", "saved"), [(0.0, [0, 512, 1024]), (1e9, [0, 0, 0])])
def test_features_are_saved_so_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: float, saved: list[int]
) -> None:
    monkeypatch.setattr(features, "_SAVE_INTERVAL", apart)
    saves: list[int] = []

    def extract(images: Tensor) -> Tensor:
        saves.append(1200 - count_missing(request(range(1200), View()), tmp_path))
        return means(images)

    computed(extract, range(1200), tmp_path)
    assert saves == saved
    assert count_missing(request(range(1200), View()), tmp_path) == 0


def test_damaged_files_are_computed_again(tmp_path: Path) -> None:
    computed(means, range(1200), tmp_path)
    (folder,) = (tmp_path / "features").iterdir()
    (folder / "rows.npz").write_bytes(b"x")
    again = Counted()
    computed(again, range(1200), tmp_path)
    assert again.images == 1200


def test_a_block_whose_bytes_changed_is_computed_again_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    computed(means, range(1200), tmp_path)
    (file,) = (tmp_path / "features").glob("*/features.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    again = Counted()
    actual = computed(again, range(1000, 1100), tmp_path)
    assert again.images == 1100 - 1024  # the rows of the last block
    actual = computed(again, range(1200), tmp_path)
    assert again.images == 1200 - 1024  # its other rows were not trusted either
    np.testing.assert_allclose(actual, PIXELS.mean((1, 2)), rtol=1e-5)
    assert len(caplog.records) == 1


def test_features_need_no_cache_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    actual = computed(means, range(1200), tmp_path / "cache")
    np.testing.assert_allclose(actual, PIXELS.mean((1, 2)), rtol=1e-5)
    assert not actual.flags.writeable


def test_a_view_does_not_depend_on_the_rows_asked_for(tmp_path: Path) -> None:
    operations = augment.pipeline("shift(horizontal=0.4)")
    views = [View(number, "shift(horizontal=0.4)", operations) for number in (1, 2)]
    whole = [computed(means, range(1200), tmp_path / "a", view) for view in views]
    few = computed(means, range(600, 650), tmp_path / "b", views[0])
    np.testing.assert_array_equal(few[600:650], whole[0][600:650])
    assert not np.allclose(whole[0], whole[1])
    assert not np.allclose(whole[0], PIXELS.mean((1, 2)))


def test_old_sets_are_dropped_but_not_those_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "KEPT", 2)
    for number in range(4):
        compute(means, replace(request([0, 1], View()), identity=[number]), tmp_path)
    assert len(list((tmp_path / "features").iterdir())) == 4
    monkeypatch.setattr(features, "_UNUSED", 0.0)
    compute(means, replace(request([0], View()), identity=["new"]), tmp_path)
    assert len(list((tmp_path / "features").iterdir())) == 2
