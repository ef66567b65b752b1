"""Copies of a picture are the same shot; another picture of the same kind is not."""

import io

import numpy as np
from PIL import Image

from hundredfold import data, duplicates
from hundredfold.duplicates._compare import compared
from hundredfold.duplicates._pictures import pictures

_LIKELY = 0.75


def _textures(count, seed=0):
    """Return (count, 32, 32, 3), smooth random pictures with edges and colours."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(x).resize((32, 32), Image.Resampling.BICUBIC)) for x in small]
    )


def _as_jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=75)
    return np.asarray(Image.open(stream))


def _best(copies, images):
    found = compared(pictures(np.stack(copies)), pictures(images), None)
    best = np.full(len(copies), -1, np.float32)
    own = found.pairs.rows == found.pairs.reference
    np.maximum.at(best, found.pairs.rows[own], found.same[own])
    return best


def test_a_copy_that_was_encoded_anew_is_the_same_shot():
    images = _textures(80)
    assert (_best([_as_jpeg(x) for x in images], images) >= _LIKELY).mean() >= 0.95


def test_a_mirrored_copy_is_the_same_shot():
    images = _textures(80)
    assert (_best([x[:, ::-1] for x in images], images) >= _LIKELY).mean() >= 0.95


def test_values_lie_in_their_range_and_do_not_depend_on_the_run():
    images = _textures(60)
    first, second = (compared(pictures(images), pictures(images[::-1]), None) for _ in range(2))
    assert np.array_equal(first.same, second.same)
    assert first.same.min() >= -1
    assert first.same.max() <= 1


def test_pairs_that_hardly_agree_are_not_judged():
    images = _textures(60)
    found = compared(pictures(images), pictures(_textures(60, seed=1)), None)
    assert (found.same[found.agreed <= 0.35] == -1).all()


def test_other_drawings_of_the_same_digits_are_not_the_same_shot():
    digits = data.load("digits", data.Source(folder=None)).parts["train"]()
    thumbnails = duplicates.thumbnails(digits.pixels, digits.indices[:200])
    rows = np.arange(len(thumbnails))
    found = compared(pictures(thumbnails), pictures(thumbnails), rows)
    assert (found.same >= _LIKELY).mean() < 0.05
