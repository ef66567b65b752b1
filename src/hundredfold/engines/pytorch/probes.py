"""Probes: simple classifiers on fixed features. k-NN, ridge and logistic regression.

Features are (n, channels) float32, standardised to mean 0 and standard deviation 1; labels are
(n,). Validation images choose the strength of the regularisation, and the scale of ridge's logits.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_RIDGES = tuple(10.0**k for k in range(-3, 2))  # strengths of the penalty, times n
_DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)  # strengths of weight decay
_BLOCK = 1024  # queries per matrix of similarities
_BATCH, _STEPS = 256, 600  # of logistic regression: images at most, and steps approximately


class LinearProbe(NamedTuple):
    """A fitted probe: weight (classes, channels) and bias (classes,).

    strength: of the regularisation chosen. top_1: accuracy on the validation images.
    """

    weight: Tensor
    bias: Tensor
    strength: float
    top_1: float


def knn_votes(
    features: Tensor, labels: Tensor, queries: Tensor, *, classes: int, k: int = 20
) -> Tensor:
    """Return votes (m, classes) of each query's k nearest neighbours by cosine similarity.

    features, labels: of the training images. queries: features (m, channels). Votes have weights
    exp(similarity / 0.07), as in Wu et al. 2018 (arXiv:1805.01978).
    """
    train = functional.normalize(features)
    parts = []
    for images in torch.split(queries, _BLOCK):
        similar, indices = (functional.normalize(images) @ train.T).topk(min(k, len(train)))
        votes = torch.zeros(len(images), classes)
        parts.append(votes.scatter_add_(1, labels[indices], (similar / 0.07).exp()))
    return torch.cat(parts)


def ridge(
    features: Tensor, labels: Tensor, val_features: Tensor, val_labels: Tensor, *, classes: int
) -> LinearProbe:
    """Fit ridge regression to one-hot labels; validation accuracy chooses the penalty.

    Scores are scaled to logits by the factor of least validation loss.
    """
    targets = functional.one_hot(labels, classes).float()
    bias = targets.mean(0)
    gram, moments = features.T @ features, features.T @ (targets - bias)
    eye = torch.eye(len(gram))
    candidates = []
    for strength in _RIDGES:
        penalty = strength * len(features)
        weight = torch.linalg.solve(gram + penalty * eye, moments, left=True).T
        candidates.append(
            LinearProbe(
                weight, bias, strength, _accuracy(val_features @ weight.T + bias, val_labels)
            )
        )
    best = max(candidates, key=lambda probe: probe.top_1)
    scale = _scale(val_features @ best.weight.T + best.bias, val_labels)
    return LinearProbe(best.weight * scale, best.bias * scale, best.strength, best.top_1)


def logistic(
    features: Tensor,
    labels: Tensor,
    val_features: Tensor,
    val_labels: Tensor,
    *,
    classes: int,
    seed: int,
) -> LinearProbe:
    """Fit logistic regression for each weight decay; validation loss chooses one.

    seed: of the order of the training images.
    """
    weights, biases = _regress(features, labels, classes, seed)
    candidates = []
    for strength, weight, bias in zip(_DECAYS, weights, biases, strict=True):
        logits = val_features @ weight.T + bias
        loss = float(functional.cross_entropy(logits, val_labels))
        candidates.append(
            (loss, LinearProbe(weight, bias, strength, _accuracy(logits, val_labels)))
        )
    return min(candidates, key=lambda candidate: candidate[0])[1]


def learning_curve(
    features: Tensor, labels: Tensor, val_features: Tensor, val_labels: Tensor
) -> list[tuple[int, float]]:
    """Return (images, accuracy) of ridge regression on a quarter, half and all of the images.

    Images are taken at even distances; validation accuracy chooses each penalty.
    """
    classes = int(max(labels.max(), val_labels.max())) + 1
    curve = []
    for step in (4, 2, 1):
        part = features[::step], labels[::step]
        probe = ridge(*part, val_features, val_labels, classes=classes)
        curve.append((len(part[0]), probe.top_1))
    return curve


def _regress(features: Tensor, labels: Tensor, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Minimise cross-entropy + decay / 2 * |weight|^2 by Nesterov steps on shuffled batches.

    Returns weights (decays, classes, channels) and biases (decays, classes). All decays use the
    same batches, so one large matrix product computes them together. Convergence depends on the
    number of steps, so small data sets use smaller batches and more epochs.
    """
    channels = features.shape[1]
    shape = (len(_DECAYS), classes)
    decays = torch.tensor(_DECAYS).view(-1, 1, 1)
    weights, biases = torch.zeros(*shape, channels), torch.zeros(shape)
    velocity = [torch.zeros_like(weights), torch.zeros_like(biases)]
    size = min(max(len(features) // 16, 32), _BATCH)
    batches = max(1, len(features) // size)
    epochs = min(max(_STEPS // batches, 4), 16)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        order = torch.randperm(len(features), generator=generator)
        for step, rows in enumerate(torch.split(order, size)[:batches], epoch * batches):
            x, rate = features[rows], _rate(step / (batches * epochs), channels)
            errors = (x @ weights.view(-1, channels).T).view(-1, *shape).add_(biases).softmax(2)
            errors[torch.arange(len(rows)), :, labels[rows]] -= 1
            slopes = (errors.view(len(rows), -1).T @ x).view_as(weights) / len(rows)
            gradients = (slopes.add_(decays * weights), errors.mean(0))
            for value, momentum, gradient in zip(
                (weights, biases), velocity, gradients, strict=True
            ):
                momentum.mul_(0.9).add_(gradient)
                value.sub_(rate * (gradient + 0.9 * momentum))
    return weights, biases


def _rate(progress: float, channels: int) -> float:
    """Decay linearly from a rate that is stable for standardised features of that width."""
    return 20.0 / channels * (1 - progress)


def _scale(scores: Tensor, labels: Tensor) -> float:
    scales = [2.0**k for k in range(-1, 7)]
    losses = [float(functional.cross_entropy(scores * scale, labels)) for scale in scales]
    return scales[losses.index(min(losses))]


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())
