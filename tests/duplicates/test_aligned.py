"""Near-duplicates among pictures of one layout: X-rays, faces, documents, cells, digits.

Different pictures of such a set agree well by chance. The oracle is the set's own making: which
pictures are copies of which is known.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from hundredfold.duplicates import Near, find_within, pictures, within

Pixels = np.ndarray
SIDE = 128
WORDS = ("aeiou", "bcdfg", "hklmn", "prstv", "wxyz", "stone", "river", "a", "the", "of", "seven")


def smooth(count: int, width: float, rng: np.random.Generator) -> Pixels:
    """Return (count, SIDE, SIDE): noise without detail finer than `width` pixels, deviation 1."""
    noise = rng.standard_normal((count, SIDE, SIDE))
    soft = ndimage.gaussian_filter(noise, (0, width, width))
    return soft / soft.std()


def ellipse(y: float, x: float, height: float, width: float) -> Pixels:
    down, across = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    distance = np.hypot((down - y) / height, (across - x) / width)
    return 1 / (1 + np.exp((distance - 1) / 0.06))


def chest() -> Pixels:
    lungs = ellipse(0, -0.4, 0.65, 0.3) + ellipse(0, 0.4, 0.65, 0.3)
    heart = ellipse(0.35, 0.12, 0.35, 0.3)
    return 40 + 130 * ellipse(0, 0, 1.1, 0.9) - 90 * lungs + 70 * heart


def face() -> Pixels:
    eyes = ellipse(-0.15, -0.25, 0.07, 0.13) + ellipse(-0.15, 0.25, 0.07, 0.13)
    return 70 + 110 * ellipse(0, 0, 0.85, 0.62) - 70 * eyes - 55 * ellipse(0.42, 0, 0.07, 0.24)


def varied(template: Pixels, count: int, rng: np.random.Generator) -> Pixels:
    """Return different pictures of one template: bent, lit and noisy each in its own way."""
    grid = np.mgrid[:SIDE, :SIDE].astype(float)
    made = []
    for _ in range(count):
        bent = ndimage.map_coordinates(
            template, grid + 3 * smooth(2, SIDE / 8, rng), order=1, mode="nearest"
        )
        light = 12 * smooth(1, SIDE / 6, rng)[0] + 6 * smooth(1, 3, rng)[0]
        made.append(bent + light + 6 * rng.standard_normal((SIDE, SIDE)))
    return np.stack(made)


def chests(rng: np.random.Generator) -> Pixels:
    return varied(chest(), 400, rng)


def faces(rng: np.random.Generator) -> Pixels:
    return varied(face(), 150, rng)


def several_layouts(rng: np.random.Generator) -> Pixels:
    return np.concatenate([varied(128 + 45 * smooth(1, 7, rng)[0], 20, rng) for _ in range(20)])


def documents(rng: np.random.Generator) -> Pixels:
    """Return letters with one head and different text."""
    made, font = [], ImageFont.load_default(size=8)
    for _ in range(300):
        page = Image.new("L", (SIDE, SIDE), 255)
        draw = ImageDraw.Draw(page)
        draw.rectangle((6, 5, 40, 18), fill=90)
        draw.line((6, 22, SIDE - 6, 22), fill=0, width=2)
        for y in range(28, SIDE - 12, 10):
            draw.text((7, y), " ".join(rng.choice(WORDS, 6)), fill=20, font=font)
        made.append(np.asarray(page, float))
    return np.stack(made)


def encoded(image: Pixels) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=75)
    return np.asarray(Image.open(stream))


def shifted(image: Pixels) -> Pixels:
    return np.pad(image, ((5, 0), (0, 5)), "edge")[:SIDE, 5:]


def cropped(image: Pixels) -> Pixels:
    inside = Image.fromarray(np.ascontiguousarray(image[6:-6, 9:-3]))
    return np.asarray(inside.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def brighter(image: Pixels) -> Pixels:
    return np.clip(image * 0.8 + 35, 0, 255).astype(np.uint8)


CHANGES = (encoded, shifted, cropped, brighter)


def small(images: Pixels) -> Pixels:
    """Return thumbnails (n, 32, 32, 3) of grey images (n, SIDE, SIDE)."""
    step = SIDE // 32
    means = images.reshape(len(images), 32, step, 32, step).mean((2, 4))
    return np.repeat(np.rint(means)[..., None], 3, axis=3).astype(np.uint8)


def searched(images: Pixels, copies: Pixels) -> Near:
    return within(pictures(small(np.concatenate([images, copies]))))


@pytest.mark.parametrize("make", [chests, faces, several_layouts, documents])
@pytest.mark.parametrize("seed", [3])
def test_pictures_of_one_layout_are_no_near_duplicates_and_copies_are(
    make: Callable[[np.random.Generator], Pixels], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    images = np.clip(make(rng), 0, 255).astype(np.uint8)
    rows = rng.choice(len(images), 24, replace=False)
    copies = np.stack([CHANGES[k % 4](images[row]) for k, row in enumerate(rows)])
    near = searched(images, copies)
    planted = set(zip(rows.tolist(), range(len(images), len(images) + 24), strict=True))
    pairs = set(zip(near.rows.tolist(), near.reference.tolist(), strict=True))
    assert len(pairs & planted) >= 0.9 * len(pairs), "precision"
    wanted = 0.4 if make is documents else 0.85  # 32 pixels tell letters by encoding alone
    assert len(pairs & planted) >= wanted * len(planted), "recall"


@pytest.mark.parametrize("make", [chests, faces, documents])
def test_without_copies_there_are_no_pairs(
    make: Callable[[np.random.Generator], Pixels],
) -> None:
    images = np.clip(make(np.random.default_rng(4)), 0, 255).astype(np.uint8)
    assert len(searched(images, images[:0]).rows) <= 1


def test_digits_are_too_alike_to_tell(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = (load_digits().images * 15.9).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    near = find_within(tmp_path, np.repeat(digits[..., None], 3, axis=3))
    assert near is not None and near.too_alike
    stored = find_within(tmp_path, np.repeat(digits[..., None], 3, axis=3))
    assert stored is not None and stored.too_alike, "the cache keeps it"


@pytest.mark.real_data
def test_blood_cells_have_few_pairs_and_their_copies_are_found(
    photos_at_hand: Path,
) -> None:
    files = sorted((photos_at_hand / "blood").rglob("*.jpg"))[::2]
    images = np.stack(
        [np.asarray(Image.open(file).convert("L").resize((SIDE, SIDE))) for file in files]
    )
    copies = np.stack([cropped(image) for image in images[:20]])
    near = searched(images, copies)
    pairs = set(zip(near.rows.tolist(), near.reference.tolist(), strict=True))
    planted = {(row, len(images) + row) for row in range(20)}
    assert len(pairs & planted) >= 18
    assert len(pairs & planted) >= 0.9 * len(pairs)
