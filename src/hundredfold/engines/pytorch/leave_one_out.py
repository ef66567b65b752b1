"""Predict each image from all others, by ridge regression and by its nearest neighbours.

With features X (n, d) of mean zero, X'X = V diag(s) V' and U = X V, ridge of penalty p predicts
F = U diag(1 / (s + p)) U'Y + mean(Y). Without row i it predicts (F_i - h_i Y_i) / (1 - h_i), where
h_i = 1/n + sum_k U_ik^2 / (s_k + p) (Allen 1974, PRESS). So one decomposition serves every penalty,
every class and every left-out image.

`benchmarks/suspects.py` measures how many planted wrong labels both together find.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.engines.pytorch.probes import knn_votes

_PENALTIES = tuple(10.0 ** (k / 2) for k in range(-5, 4))  # times n
_NEIGHBOURS = 50
_DIRECTIONS = 128  # principal directions in which neighbours are near
_TEMPERATURES = tuple(2.0 ** (k / 2) for k in range(-2, 15))


def probabilities(features: Tensor, labels: Tensor, *, classes: int) -> Tensor:
    """Return (n, classes): probabilities of each image from all others, by ridge and neighbours.

    features: (n, channels), any scale. labels: (n,).
    """
    rows = _standardised(features)
    values, axes = torch.linalg.eigh((rows.T @ rows).double())
    projected = rows @ axes.float()
    by_ridge = _ridge(projected, values.clamp(min=0).float(), labels, classes)
    nearby = projected[:, -_DIRECTIONS:]
    votes = knn_votes(nearby, labels, nearby, classes=classes, k=_NEIGHBOURS + 1)
    itself = math.exp(1 / 0.07)  # the vote of an image for itself
    others = (votes - itself * functional.one_hot(labels, classes)).clamp(min=0) + 1e-3
    return (by_ridge + others / others.sum(1, keepdim=True)) / 2


def _ridge(projected: Tensor, values: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return (n, classes): probabilities of each image from a ridge fitted to all others.

    projected: U (n, channels). values: s (channels,). The penalty and the temperature are those
    of the smallest cross-entropy of the left-out images.
    """
    count = len(projected)
    targets = functional.one_hot(labels, classes).float()
    prior = targets.mean(0)
    moments = projected.T @ (targets - prior)
    best, best_loss = torch.empty(0), math.inf
    for penalty in _PENALTIES:
        shrunk = 1 / (values + penalty * count)
        weights = (projected.square() @ shrunk + 1 / count)[:, None].clamp(max=0.999)
        fitted = projected @ (shrunk[:, None] * moments) + prior
        scores = (fitted - weights * targets) / (1 - weights)
        loss, temperature = _temperature(scores, labels)
        if loss < best_loss:
            best, best_loss = (scores * temperature).softmax(1), loss
    return best


def _standardised(features: Tensor) -> Tensor:
    """Return the features with mean 0 and deviation 1; constant ones become 0."""
    centred = features - features.mean(0)
    spread = centred.square().mean(0).sqrt()
    return centred / torch.where(spread > 1e-6, spread, torch.inf)


def _temperature(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the smallest cross-entropy over factors on the scores, and its factor."""
    losses = [float(functional.cross_entropy(scores * t, labels)) for t in _TEMPERATURES]
    least = min(losses)
    return least, _TEMPERATURES[losses.index(least)]
