"""Probes against scikit-learn on features of overlapping classes."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from hundredfold.engines.pytorch import probes

CLASSES = 5


def drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw standardised features of five classes around five fixed centres."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(CLASSES, 12))
    labels = chance.integers(0, CLASSES, count)
    features = centres[labels] + 1.2 * chance.normal(size=(count, 12))
    features = (features - features.mean(0)) / features.std(0)
    return torch.from_numpy(features).float(), torch.from_numpy(labels)


TRAIN, OTHERS = drawn(2500, 0), drawn(800, 1)


def top_1(logits: Tensor) -> float:
    return float((logits.argmax(1) == OTHERS[1]).float().mean())


def test_nearest_neighbours_vote_as_scikit_learns_do() -> None:
    votes = probes.knn_votes(*TRAIN, OTHERS[0], classes=CLASSES)
    reference = KNeighborsClassifier(20, metric="cosine").fit(*(t.numpy() for t in TRAIN))
    expected = reference.score(*(t.numpy() for t in OTHERS))
    assert top_1(votes) == pytest.approx(expected, abs=0.03)
    assert votes.shape == (800, CLASSES)


def test_the_nearest_neighbour_of_a_training_image_is_itself() -> None:
    votes = probes.knn_votes(*TRAIN, TRAIN[0][:50], classes=CLASSES, k=1)
    assert torch.equal(votes.argmax(1), TRAIN[1][:50])


def test_ridge_is_the_solution_of_its_equations() -> None:
    solved = probes.ridge(*TRAIN, *OTHERS, classes=CLASSES)
    targets = np.eye(CLASSES)[TRAIN[1].numpy()]
    reference = Ridge(alpha=solved.strength * 2500).fit(TRAIN[0].numpy(), targets)
    ratio = float(solved.weight.norm()) / np.linalg.norm(reference.coef_)
    np.testing.assert_allclose(solved.weight, reference.coef_ * ratio, atol=1e-3 * ratio)
    assert top_1(OTHERS[0] @ solved.weight.T + solved.bias) == pytest.approx(solved.top_1)


def test_logistic_comes_close_to_the_optimum() -> None:
    solved = probes.logistic(*TRAIN, *OTHERS, classes=CLASSES, seed=0)
    reference = LogisticRegression(C=1 / (2500 * solved.strength)).fit(*(t.numpy() for t in TRAIN))
    loss = torch.nn.functional.cross_entropy(OTHERS[0] @ solved.weight.T + solved.bias, OTHERS[1])
    probabilities = torch.from_numpy(reference.predict_proba(OTHERS[0].numpy()))
    best = torch.nn.functional.nll_loss(probabilities.log(), OTHERS[1])
    assert float(loss) < float(best) + 0.02
    assert solved.top_1 > 0.6


def test_a_heads_strength_follows_the_validation_images() -> None:
    """With random labels, the penalty is larger."""
    noise = torch.randint(0, CLASSES, (60,), generator=torch.Generator().manual_seed(0))
    few = TRAIN[0][:60], noise
    strong = probes.logistic(*few, *OTHERS, classes=CLASSES, seed=0).strength
    weak = probes.logistic(*TRAIN, *OTHERS, classes=CLASSES, seed=0).strength
    assert strong > weak
