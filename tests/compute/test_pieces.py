"""Micro-batches of a step have nearly equal sizes, and none has a single image."""

import pytest
import torch

from hundredfold.compute.replicas import pieces


@pytest.mark.parametrize(
    ("batch", "micro_batch", "sizes"),
    [
        (65, 64, [33, 32]),
        (17, 16, [9, 8]),
        (10, 3, [3, 3, 2, 2]),
        (128, 64, [64, 64]),
        (128, 50, [43, 43, 42]),
        (3, 2, [3]),
        (5, 2, [3, 2]),
        (2, 2, [2]),
        (1, 1, [1]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_a_batch_is_split_evenly(batch: int, micro_batch: int, sizes: list[int]) -> None:
    images = torch.zeros(batch, 1)
    split = torch.tensor_split(images, pieces(batch, micro_batch))
    assert [len(part) for part in split] == sizes


def test_no_piece_has_one_image_or_many_more_than_asked() -> None:
    for batch in range(2, 70):
        for micro_batch in range(2, batch + 1):
            split = torch.tensor_split(torch.zeros(batch, 1), pieces(batch, micro_batch))
            sizes = {len(part) for part in split}
            assert min(sizes) >= 2 and max(sizes) <= micro_batch + 1
            assert max(sizes) - min(sizes) <= 1
