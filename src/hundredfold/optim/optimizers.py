"""Optimizers over a model's parameters, with decay by the papers' rule.

Each function takes the model and returns a torch optimizer whose learning rate the
training loop multiplies by the schedule's factor at every step. `decay_all=False` spares
biases and normalisation (He et al. 2019, arXiv:1812.01187, section 3.1); the original
CIFAR papers decay everything.
"""

import torch
from torch import nn
from torch.optim import Optimizer


def sgd(
    model: nn.Module,
    *,
    lr: float = 0.1,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 5e-4,
    decay_all: bool = True,
) -> Optimizer:
    """Stochastic gradient descent with momentum (Sutskever et al. 2013)."""
    groups = _groups(model, weight_decay, decay_all=decay_all)
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)


def adam(
    model: nn.Module,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-7,
) -> Optimizer:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980); eps as in Keras."""
    return torch.optim.Adam(model.parameters(), lr=lr, betas=(beta1, beta2), eps=eps, fused=True)


def adamw(
    model: nn.Module,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.05,
    decay_all: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    groups = _groups(model, weight_decay, decay_all=decay_all)
    return torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, fused=True)


def _groups(model: nn.Module, weight_decay: float, *, decay_all: bool) -> list[dict[str, object]]:
    parameters = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in parameters if decay_all or p.ndim > 1]
    spared = [p for p in parameters if not (decay_all or p.ndim > 1)]
    groups: list[dict[str, object]] = [{"params": decayed, "weight_decay": weight_decay}]
    return [*groups, {"params": spared, "weight_decay": 0.0}] if spared else groups
