"""Predictions of each image from all others; the oracle fits to all others."""

import numpy as np
import pytest
import torch

from hundredfold.engines.pytorch import leave_one_out
from hundredfold.engines.pytorch.leave_one_out import _standardised, probabilities
from hundredfold.engines.pytorch.suspects import _most_suspect, image_size


def features(count: int, classes: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(classes, 24, generator=generator)
    labels = torch.arange(count) % classes
    return centres[labels] + noise * torch.randn(count, 24, generator=generator), labels


def test_ridge_equals_a_fit_without_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leave_one_out, "_PENALTIES", (0.1,))
    monkeypatch.setattr(leave_one_out, "_TEMPERATURES", (1.0,))
    x, labels = features(30, 3, 1.0)
    rows = _standardised(x)
    values, axes = torch.linalg.eigh(rows.T @ rows)
    found = leave_one_out._ridge(rows @ axes, values.clamp(min=0), labels, 3)
    targets = np.eye(3)[labels.numpy()]
    data = rows.numpy().astype(float)
    for left_out in range(30):
        kept = np.arange(30) != left_out
        mean, prior = data[kept].mean(0), targets[kept].mean(0)
        centred = data[kept] - mean
        gram = centred.T @ centred + 0.1 * 30 * np.eye(24)
        scores = (data[left_out] - mean) @ np.linalg.solve(
            gram, centred.T @ (targets[kept] - prior)
        ) + prior
        wanted = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(found[left_out], wanted, atol=1e-4)


def test_probabilities_sum_to_one_and_find_the_class() -> None:
    x, labels = features(200, 4, 0.7)
    values = probabilities(x, labels, classes=4)
    torch.testing.assert_close(values.sum(1), torch.ones(200))
    assert (values.argmax(1) == labels).float().mean() > 0.95


def test_planted_wrong_labels_come_first() -> None:
    x, labels = features(300, 5, 0.8)
    wrong = torch.randperm(300, generator=torch.Generator().manual_seed(1))[:15]
    given = labels.clone()
    given[wrong] = (given[wrong] + 1) % 5
    order = _most_suspect(probabilities(x, given, classes=5).numpy(), given.numpy())
    assert len(set(order[:30].tolist()) & set(wrong.tolist())) >= 14


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_images_and_constant_features_are_no_obstacle(count: int) -> None:
    values = probabilities(torch.ones(count, 8), torch.arange(count) % 2, classes=2)
    assert torch.isfinite(values).all()


def test_the_size_follows_images_and_cost() -> None:
    assert image_size(1000, 500) == 224
    assert image_size(100_000, 500) == 128, "four times as long for each"
    assert image_size(1000, 32) == 128, "small images have no detail"
