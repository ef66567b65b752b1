"""The colours of a confusion matrix."""

import numpy as np

from hundredfold.reports.charts._matrix import levels


def test_colours_of_a_matrix_grow_with_the_fraction_of_the_row() -> None:
    graded = levels(np.array([[90, 10, 0], [30, 60, 10], [1, 0, 99]]))
    assert graded[0, 2] == 0
    assert graded[1, 0] > graded[0, 1] == graded[1, 2] > graded[2, 0] > 0
    assert graded[2, 2] >= graded[0, 0] > graded[1, 1]


def test_a_few_chance_mistakes_stay_pale() -> None:
    graded = levels(np.array([[100, 1], [0, 100]]))
    assert graded.tolist() == [[7, 1], [0, 7]]


def test_a_class_without_images_has_no_colour() -> None:
    assert not levels(np.zeros((3, 3), np.int64)).any()
