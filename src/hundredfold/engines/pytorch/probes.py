"""Heads that are solved on features rather than trained: nearest neighbours, ridge, logistic.

Features are (n, channels) float32, brought to mean 0 and deviation 1; labels are (n,). The
strength of a regularisation is chosen by validation, and nothing else is.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_RIDGES = tuple(10.0**k for k in range(-3, 2))  # times n
_DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)
_AT_ONCE = 1024  # images that are compared with all known ones
_BATCH, _STEPS = 256, 600  # of logistic regression: at most, and about


class Solved(NamedTuple):
    """A dense head: weight (classes, channels), bias (classes,), and the strength chosen."""

    weight: Tensor
    bias: Tensor
    strength: float
    top_1: float


def nearest(
    features: Tensor, labels: Tensor, others: Tensor, *, classes: int, neighbours: int = 20
) -> Tensor:
    """Return votes (m, classes) of each other's most similar features, by cosine, weighed.

    Weights are exp(similarity / 0.07), as in Wu et al. 2018 (arXiv:1805.01978).
    """
    known = functional.normalize(features)
    parts = []
    for some in torch.split(others, _AT_ONCE):
        similar, places = (functional.normalize(some) @ known.T).topk(min(neighbours, len(known)))
        votes = torch.zeros(len(some), classes)
        parts.append(votes.scatter_add_(1, labels[places], (similar / 0.07).exp()))
    return torch.cat(parts)


def ridge(
    features: Tensor, labels: Tensor, others: Tensor, their: Tensor, *, classes: int
) -> Solved:
    """Solve least squares to one-hot labels, the penalty by the others' top-1.

    Scores are turned into logits by the scale that fits the others best.
    """
    targets = functional.one_hot(labels, classes).float()
    bias = targets.mean(0)
    products, sides = features.T @ features, features.T @ (targets - bias)
    eye = torch.eye(len(products))
    found = []
    for strength in _RIDGES:
        penalty = strength * len(features)
        weight = torch.linalg.solve(products + penalty * eye, sides, left=True).T
        found.append(Solved(weight, bias, strength, _right(others @ weight.T + bias, their)))
    best = max(found, key=lambda one: one.top_1)
    scale = _scale(others @ best.weight.T + best.bias, their)
    return Solved(best.weight * scale, best.bias * scale, best.strength, best.top_1)


def logistic(
    features: Tensor, labels: Tensor, others: Tensor, their: Tensor, *, classes: int, seed: int
) -> Solved:
    """Fit softmax regression with every decay at once; the others' loss chooses among them."""
    weights, biases = _regress(features, labels, classes, seed)
    found = []
    for strength, weight, bias in zip(_DECAYS, weights, biases, strict=True):
        logits = others @ weight.T + bias
        loss = float(functional.cross_entropy(logits, their))
        found.append((loss, Solved(weight, bias, strength, _right(logits, their))))
    return min(found, key=lambda one: one[0])[1]


def _regress(features: Tensor, labels: Tensor, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Minimise cross-entropy + decay / 2 * |weight|^2 by Nesterov steps on shuffled batches.

    Returns weights (decays, classes, channels) and biases (decays, classes): the decays share
    each batch, so that one large product serves them all. It is steps that bring it to its end,
    not images: few images go in small batches, more often.
    """
    channels = features.shape[1]
    shape = (len(_DECAYS), classes)
    decays = torch.tensor(_DECAYS).view(-1, 1, 1)
    weights, biases = torch.zeros(*shape, channels), torch.zeros(shape)
    speed = [torch.zeros_like(weights), torch.zeros_like(biases)]
    size = min(max(len(features) // 16, 32), _BATCH)
    batches = max(1, len(features) // size)
    passes = min(max(_STEPS // batches, 4), 16)
    generator = torch.Generator().manual_seed(seed)
    for number in range(passes):
        order = torch.randperm(len(features), generator=generator)
        for step, rows in enumerate(torch.split(order, size)[:batches], number * batches):
            x, rate = features[rows], _rate(step / (batches * passes), channels)
            errors = (x @ weights.view(-1, channels).T).view(-1, *shape).add_(biases).softmax(2)
            errors[torch.arange(len(rows)), :, labels[rows]] -= 1
            slopes = (errors.view(len(rows), -1).T @ x).view_as(weights) / len(rows)
            gradients = (slopes.add_(decays * weights), errors.mean(0))
            for value, momentum, gradient in zip((weights, biases), speed, gradients, strict=True):
                momentum.mul_(0.9).add_(gradient)
                value.sub_(rate * (gradient + 0.9 * momentum))
    return weights, biases


def _rate(progress: float, channels: int) -> float:
    """Fall linearly from what is stable for standard features of that many channels."""
    return 20.0 / channels * (1 - progress)


def _scale(scores: Tensor, labels: Tensor) -> float:
    scales = [2.0**k for k in range(-1, 7)]
    losses = [float(functional.cross_entropy(scores * scale, labels)) for scale in scales]
    return scales[losses.index(min(losses))]


def _right(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())
