"""Losses against torch's own with integer labels."""

import pytest
import torch
from torch.nn import functional

from hundredfold.optim import losses


def _case() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(16, 7, generator=generator)
    return logits, torch.randint(7, (16,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_of_certain_targets_is_that_of_their_labels(smoothing: float) -> None:
    logits, labels = _case()
    actual = losses.cross_entropy(logits, functional.one_hot(labels, 7).float(),
                                 label_smoothing=smoothing)  # fmt: skip
    expected = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    torch.testing.assert_close(actual, expected)


def test_cross_entropy_of_a_mixture_is_the_mixture_of_cross_entropies() -> None:
    logits, labels = _case()
    one = functional.one_hot(labels, 7).float()
    other = functional.one_hot((labels + 2) % 7, 7).float()
    actual = losses.cross_entropy(logits, 0.3 * one + 0.7 * other)
    parts = [functional.cross_entropy(logits, t) for t in (labels, (labels + 2) % 7)]
    torch.testing.assert_close(actual, 0.3 * parts[0] + 0.7 * parts[1])


def test_knowing_nothing_costs_the_logarithm_of_the_classes() -> None:
    even = losses.cross_entropy(torch.zeros(4, 100), torch.eye(100)[:4])
    assert float(even) == pytest.approx(4.60517, abs=1e-5)
