"""The two sets that need no files: digits and shapes."""

import hashlib

import numpy as np
import pytest

from hundredfold.data import Source, load
from hundredfold.data.digits import _originals
from hundredfold.errors import UsageError


def test_digits_are_the_handwritten_ones(source: Source) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    data = load("digits(size=8)", source)  # not enlarged, so the originals
    train, test = data.parts["train"](), data.parts["test"]()
    assert (len(train), len(test)) == (1438, 359)
    both = np.concatenate([train.pixels[..., 0], test.pixels[..., 0]])
    found = sorted(hashlib.sha256(image.tobytes()).hexdigest() for image in both)
    real = (bunch.images * 255 / 16).round().astype(np.uint8)
    assert found == sorted(hashlib.sha256(image.tobytes()).hexdigest() for image in real)


def test_shipped_digits_are_those_of_scikit_learn_in_their_order() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images, labels = _originals()
    assert np.array_equal(images, bunch.images)
    assert np.array_equal(labels, bunch.target)


def test_digits_keep_the_digest_that_runs_have_recorded(source: Source) -> None:
    recorded = "28bf9e5e0e7f6674a29db06c10ef88fa92621f519248740eb32f7a98cef46f1c"
    assert load("digits(size=8)", source).digest == recorded


def test_enlarged_digits_keep_their_ink(source: Source) -> None:
    small = load("digits(size=8)", source).parts["train"]()
    large = load("digits", source).parts["train"]()
    assert large.pixels.shape == (1438, 32, 32, 3)
    assert np.array_equal(small.labels, large.labels)
    assert np.abs(small.pixels.mean((1, 2, 3)) - large.pixels.mean((1, 2, 3))).max() < 8


def test_digits_are_classified_by_their_nearest_neighbours(source: Source) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    data = load("digits(size=16)", source)
    train, test = data.parts["train"](), data.parts["test"]()
    model = KNeighborsClassifier(3).fit(train.pixels.reshape(len(train), -1) / 255, train.labels)
    assert model.score(test.pixels.reshape(len(test), -1) / 255, test.labels) > 0.95


def test_shapes_have_a_hundred_classes_in_twenty(source: Source) -> None:
    data = load("shapes(images=2)", source)
    assert (len(data.classes), len(data.superclasses)) == (100, 20)
    for name, group in zip(data.classes, data.superclass_of, strict=True):
        assert name.endswith(data.superclasses[group])
    assert list(np.bincount(data.parts["train"]().labels)) == [2] * 100
    assert list(np.bincount(data.parts["test"]().labels)) == [1] * 100


def test_shapes_are_the_same_everywhere(source: Source) -> None:
    pixels = load("shapes(images=3)", source).parts["train"]().pixels
    means = pixels[[0, 150, 299]].mean((1, 2))
    expected = [[114.0, 77.5, 42.7], [55.2, 88.3, 26.0], [84.8, 25.2, 81.4]]
    assert np.abs(means - expected).max() < 0.1


def test_no_two_shapes_are_alike(source: Source) -> None:
    data = load("shapes(images=20)", source)
    train, test = data.parts["train"]().pixels, data.parts["test"]().pixels
    assert len({image.tobytes() for image in [*train, *test]}) == len(train) + len(test)


def test_shapes_can_be_learned(source: Source) -> None:
    from sklearn.ensemble import RandomForestClassifier

    data = load("shapes(classes=10, images=100, size=16)", source)
    train, test = data.parts["train"](), data.parts["test"]()
    model = RandomForestClassifier(60, random_state=0)
    model.fit(train.pixels.reshape(len(train), -1), train.labels)
    assert model.score(test.pixels.reshape(len(test), -1), test.labels) > 0.5


def test_any_size_of_shapes_can_be_drawn(source: Source) -> None:
    for size in (8, 47, 96):
        data = load(f"shapes(size={size}, classes=7, images=1)", source)
        assert data.parts["train"]().pixels.shape == (7, size, size, 3)
        assert len(data.superclasses) == 2


@pytest.mark.parametrize(
    "text",
    [
        "shapes(size=4)",
        "shapes(classes=101)",
        "shapes(images=0)",
        "shapes(noise=2.0)",
        "digits(size=2)",
    ],
)
def test_options_out_of_range_are_refused(text: str, source: Source) -> None:
    with pytest.raises(UsageError, match="out of range"):
        load(text, source)
