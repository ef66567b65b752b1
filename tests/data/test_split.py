import hashlib

import numpy as np
import pytest

from hundredfold.data import DataSet, Split, training
from hundredfold.data._split import stratified
from hundredfold.errors import UsageError


def data_set(labels: list[int], **more: list[int]) -> DataSet:
    def part(values: list[int]) -> Split:
        pixels = np.zeros((len(values), 8, 8, 3), np.uint8)
        return Split(pixels, np.array(values), np.arange(len(values)))

    parts = {"train": lambda: part(labels)}
    parts |= {name: lambda values=values: part(values) for name, values in more.items()}
    return DataSet("toy", ("a", "b"), (), (), 8, "", parts)


def test_each_row_is_on_one_side() -> None:
    labels = np.arange(1000) % 7
    kept, cut = stratified(labels, 0.1, seed=3)
    assert sorted([*kept, *cut]) == list(range(1000))
    assert list(kept) == sorted(kept) and list(cut) == sorted(cut)


def test_each_class_gives_its_fraction() -> None:
    labels = np.repeat([0, 1, 2], [100, 200, 50])
    _, cut = stratified(labels, 0.1, seed=0)
    assert list(np.bincount(labels[cut])) == [10, 20, 5]


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_classes_of_two_are_on_both_sides(fraction: float) -> None:
    labels = np.repeat(np.arange(5), 2)
    kept, cut = stratified(labels, fraction, seed=0)
    assert set(labels[kept]) == set(labels[cut]) == set(range(5))


def test_a_class_of_one_stays_for_training() -> None:
    labels = np.array([0, 0, 0, 1])
    kept, cut = stratified(labels, 0.4, seed=0)
    assert 3 in kept and 3 not in cut


def test_the_seed_decides() -> None:
    labels = np.arange(500) % 5
    assert np.array_equal(stratified(labels, 0.2, 1)[1], stratified(labels, 0.2, 1)[1])
    assert not np.array_equal(stratified(labels, 0.2, 1)[1], stratified(labels, 0.2, 2)[1])


def test_the_cut_is_the_same_for_ever() -> None:
    _, cut = stratified(np.arange(50000) % 100, 0.1, seed=0)
    assert hashlib.sha256(cut.astype("<i8").tobytes()).hexdigest()[:16] == "5b6feb65a02fc202"


def test_training_shares_pixels_and_leaves_test_alone() -> None:
    data = data_set([0, 1] * 20)
    poisoned = DataSet(**{**vars(data), "parts": {**data.parts, "test": lambda: 1 / 0}})
    train, validation = training(poisoned, share=0.1, seed=0)
    assert train.pixels is validation.pixels
    assert (len(train), len(validation)) == (36, 4)


def test_a_validation_part_of_its_own_is_taken_whole() -> None:
    train, validation = training(data_set([0, 1] * 20, validation=[0, 1, 1]), share=0.5)
    assert (len(train), len(validation)) == (40, 3)


def test_a_fraction_of_nothing_leaves_all_for_training() -> None:
    train, validation = training(data_set([0, 1] * 20), share=0)
    assert list(train.indices) == list(range(40))
    assert len(validation) == 0
    assert train.pixels is validation.pixels


def test_a_validation_part_of_its_own_is_taken_whatever_the_fraction() -> None:
    train, validation = training(data_set([0, 1] * 20, validation=[0, 1, 1]), share=0)
    assert (len(train), len(validation)) == (40, 3)


def test_one_image_a_class_is_enough_where_none_is_cut() -> None:
    assert len(training(data_set([0, 1]), share=0)[0]) == 2


@pytest.mark.parametrize("fraction", [1, -0.1, 2])
def test_an_impossible_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match="validation = "):
        training(data_set([0, 1, 0, 1]), share=fraction)


def test_data_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(UsageError, match="one image per class"):
        training(data_set([0, 1]))
