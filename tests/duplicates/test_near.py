"""Near-duplicates: planted ones are found, unlike pictures of the same kind are not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from hundredfold.data import Source, load, unseen
from hundredfold.duplicates import (
    _candidates,
    _find,
    across,
    find_across,
    find_within,
    pairs,
    pictures,
    upside_down,
    within,
)

Pixels = np.ndarray


@pytest.fixture(scope="module")
def patches() -> Pixels:
    """Return 32 x 32 pieces of two photographs, without the plain ones."""
    made = []
    for photo in load_sample_images().images:
        for top in range(0, photo.shape[0] - 31, 32):
            for left in range(0, photo.shape[1] - 31, 32):
                made.append(photo[top : top + 32, left : left + 32])
    every = np.stack(made)
    return every[every.mean(3).std((1, 2)) > 20]


def mirrored(image: Pixels) -> Pixels:
    return image[:, ::-1]


def encoded(image: Pixels) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=75)
    return np.asarray(Image.open(stream))


def shifted(image: Pixels) -> Pixels:
    return np.pad(image, ((2, 0), (0, 2), (0, 0)), "edge")[:32, 2:]


def cropped(image: Pixels) -> Pixels:
    square = Image.fromarray(np.ascontiguousarray(image[1:29, 3:31]))
    return np.asarray(square.resize((32, 32), Image.Resampling.BICUBIC))


def stretched(image: Pixels) -> Pixels:
    part = Image.fromarray(np.ascontiguousarray(image[:, 3:29]))
    return np.asarray(part.resize((32, 32), Image.Resampling.BICUBIC))


def beside(image: Pixels) -> Pixels:
    """Return the image without its left quarter."""
    part = Image.fromarray(np.ascontiguousarray(image[:, 8:]))
    return np.asarray(part.resize((32, 32), Image.Resampling.BICUBIC))


def brighter(image: Pixels) -> Pixels:
    return np.clip(image * 0.8 + 40, 0, 255).astype(np.uint8)


CHANGES = (mirrored, encoded, shifted, cropped, stretched, beside, brighter)


@pytest.mark.parametrize("change", CHANGES)
def test_planted_copies_are_found(patches: Pixels, change) -> None:
    rows = np.arange(0, len(patches), 4)
    copies = pictures(np.stack([change(image) for image in patches[rows]]))
    near = across(copies, pictures(patches))
    right = near.reference == rows[near.rows]
    assert len(np.unique(near.rows[right])) >= 0.85 * len(rows)  # textures; CIFAR: 98 % and more
    assert near.agreement.min() >= 0.75 and near.agreement.max() <= 1.001


def test_unlike_pictures_are_not_found(patches: Pixels) -> None:
    """Upside down, no piece of a photograph is a copy of another piece."""
    reference, rows = pictures(patches), np.arange(len(patches))
    near = pairs(upside_down(reference, rows), reference, rows)
    assert len(np.unique(near.rows)) <= 0.01 * len(rows)


def test_pairs_within_a_set_come_once_and_never_with_themselves(patches: Pixels) -> None:
    some = np.concatenate([patches[:50], patches[10:13, :, ::-1]])
    near = within(pictures(some))
    each = list(zip(near.rows.tolist(), near.reference.tolist(), strict=True))
    assert {(10, 50), (11, 51), (12, 52)} <= set(each)
    assert len(set(each)) == len(each) and all(one < other for one, other in each)


@pytest.mark.parametrize("all_with_all", [True, False])
def test_progress_counts_every_image_once(
    patches: Pixels, all_with_all: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not all_with_all:
        monkeypatch.setattr(_candidates, "MOST_COMPARED", 0)
    done: list[int] = []
    within(pictures(patches[:61]), done.append)
    assert sum(done) == 61 and min(done) >= 0


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_images_are_no_obstacle(patches: Pixels, count: int, tmp_path: Path) -> None:
    near = find_within(tmp_path, patches[:count])
    assert near is not None and len(near.rows) == 0
    near = find_across(tmp_path, patches[:count], patches[:1])
    assert near is not None and near.rows.tolist() == [0][:count]


def test_plain_images_are_the_same_only_where_they_are_equal(tmp_path: Path) -> None:
    plain = np.stack([np.full((32, 32, 3), grey, np.uint8) for grey in (9, 90, 9, 200)])
    near = find_within(tmp_path, plain)
    assert near is not None
    assert (near.rows.tolist(), near.reference.tolist()) == ([0], [2])


def test_what_was_found_is_kept(
    patches: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = np.concatenate([patches[:20], patches[:2, :, ::-1]])
    first = find_within(tmp_path, some)
    monkeypatch.setattr(_find, "_search", lambda *_: pytest.fail("searched again"))
    again = find_within(tmp_path, some)
    assert first is not None and again is not None
    assert len(first.rows) == 2
    for kind in ("rows", "reference", "agreement"):
        np.testing.assert_array_equal(getattr(first, kind), getattr(again, kind))


def test_a_damaged_note_is_found_again(patches: Pixels, tmp_path: Path) -> None:
    some = np.concatenate([patches[:20], patches[:2, :, ::-1]])
    find_within(tmp_path, some)
    (note,) = (tmp_path / "near-duplicates").iterdir()
    for damage in ("{", '{"rows": [1], "reference": [], "agreement": []}', '{"rows": "x"}'):
        note.write_text(damage)
        again = find_within(tmp_path, some)
        assert again is not None and len(again.rows) == 2


def test_too_many_images_are_not_compared(
    patches: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_find, "MOST_PAIRS", 99)
    assert find_within(tmp_path, patches[:10]) is None
    assert find_within(tmp_path, patches[:9]) is not None


@pytest.mark.real_data
def test_the_ten_equal_images_of_cifar100_and_planted_copies_are_found(
    real_cifar100: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(folder=real_cifar100, cache=tmp_path / "cache", offline=True)
    data = load("cifar100", source)
    train = data.parts["train"]()
    rows = np.arange(0, 10_000, 100)
    copies = np.stack([cropped(mirrored(image)) for image in train.pixels[rows]])
    near = across(pictures(copies), pictures(train.pixels[:10_000]))
    right = near.reference == rows[near.rows]
    assert len(np.unique(near.rows[right])) >= 95
    others = data.parts["test"]().pixels[:3000]  # the threshold is that of mixed pictures
    copies = np.stack([encoded(image) for image in train.pixels[rows]])
    near = across(pictures(np.concatenate([others, copies])), pictures(train.pixels[:10_000]))
    right = near.reference == np.pad(rows, (len(others), 0), constant_values=-1)[near.rows]
    assert len(np.unique(near.rows[right])) >= 99
    monkeypatch.setattr(_find, "_search", lambda *given: _find._equal(*given[:2]))
    seen = unseen(data, source.cache)
    assert seen is not None and int((~seen).sum()) == 10
