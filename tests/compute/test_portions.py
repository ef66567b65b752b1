"""Every image of a batch is computed once, by one process."""

import itertools

import pytest
import torch

from hundredfold.compute.portions import Division, Portion, divide, whole_pieces

CASES = list(itertools.product((1, 2, 7, 24), (1, 2, 3, 7), (1, 2, 3, 4, 8)))


def _sizes(batch: int, pieces: int) -> list[int]:
    return [len(part) for part in torch.tensor_split(torch.arange(batch), pieces)]


def _need_whole(division: Division, batch: int, pieces: int) -> None:
    rows: list[int] = []
    sizes = _sizes(batch, pieces)
    for portion in itertools.chain(*division.portions):
        begin = sum(sizes[: portion.number])
        assert portion.size == sizes[portion.number]
        assert portion.first == begin + portion.before
        assert portion.before + portion.images <= portion.size
        rows += range(portion.first, portion.first + portion.images)
    assert sorted(rows) == list(range(batch))


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_a_division_has_each_image_once(together: bool, apart: bool) -> None:
    for batch, pieces, world in CASES:
        if pieces > batch:
            continue
        division = divide(batch, pieces, world, together=together, apart=apart)
        assert len(division.portions) == world
        _need_whole(division, batch, pieces)


def test_enough_micro_batches_are_dealt_whole_and_in_order() -> None:
    division = divide(10, 3, 2)
    assert division == Division(
        [[Portion(0, 0, 4, 0, 4), Portion(1, 4, 3, 0, 3)], [Portion(2, 7, 3, 0, 3)]], shared=False
    )
    assert whole_pieces((4, 3, 3)) == list(itertools.chain(*division.portions))


def test_processes_that_exchange_statistics_meet_in_every_micro_batch() -> None:
    division = divide(16, 2, 4, together=True)
    assert division.shared
    assert [[p.number for p in portions] for portions in division.portions] == [[0, 1]] * 4


def test_others_have_neighbouring_images_of_nearly_equal_number() -> None:
    division = divide(10, 2, 4)
    counts = [sum(portion.images for portion in portions) for portions in division.portions]
    assert counts == [3, 3, 2, 2]
