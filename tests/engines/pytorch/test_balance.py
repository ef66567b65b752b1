"""Balanced batches, and a loss with weights of classes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hundredfold.engines.pytorch.feed import Feed
from hundredfold.optim import weighted
from hundredfold.optim.losses import cross_entropy

LABELS = np.repeat([0, 1, 2], [70, 20, 10])


def feed() -> Feed:
    pixels = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None, None], (100, 4, 4, 3))
    return Feed(pixels, LABELS, np.arange(100), classes=3, batch_size=16, seed=3, balanced=True)


def test_an_epoch_has_every_class_equally_often_and_as_many_batches() -> None:
    with feed() as balanced:
        labels = torch.cat([batch.labels for batch in balanced.epoch(0)])
        assert balanced.steps == 6
    counts = labels.sum(0)
    assert counts.max() - counts.min() <= 4, "only the last, partial batch is left out"


def test_an_epoch_is_entered_anywhere_with_the_same_batches() -> None:
    with feed() as one, feed() as other:
        whole, rest = list(one.epoch(5)), list(other.epoch(5, start=2))
    for a, b in zip(whole[2:], rest, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_weighted_loss_is_the_mean_of_each_images_loss_times_its_weight(smoothing) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, 3, generator=generator, requires_grad=True)
    labels = torch.arange(12) % 3
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    loss = weighted(lambda x, t: cross_entropy(x, t, label_smoothing=smoothing), weights)
    value = loss(logits, F.one_hot(labels, 3).float())
    each = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(value, (each * weights[labels]).float().mean())
    (gradient,) = torch.autograd.grad(value, logits)
    (expected,) = torch.autograd.grad((each * weights[labels].float()).mean(), logits)
    torch.testing.assert_close(gradient, expected)


def test_a_mixed_target_has_the_mean_of_its_classes_weights() -> None:
    logits = torch.zeros(1, 3)
    loss = weighted(cross_entropy, torch.tensor([1.0, 3.0, 1.0]))
    mixed = loss(logits, torch.tensor([[0.5, 0.5, 0.0]]))
    assert mixed.item() == pytest.approx(2 * np.log(3))
