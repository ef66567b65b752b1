"""Optimizers over a model's parameters.

Each function takes the model and returns an optimizer; the training loop multiplies its learning
rate by the schedule's factor at every step. `decay_all=False` excludes biases and normalisation
from weight decay (He et al. 2019, arXiv:1812.01187, section 3.1); the original CIFAR papers decay
everything.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.optim import adam as _adam
from torch.optim import sgd as _sgd

from hundredfold.errors import UsageError
from hundredfold.optim._muon import update
from hundredfold.optim._optimizer import Buffers, Group, Optimizer
from hundredfold.spec import BelowOne, Decay, Fraction, Range, Rate


def sgd(
    model: nn.Module,
    *,
    lr: Rate = 0.1,
    momentum: BelowOne = 0.9,
    nesterov: bool = True,
    weight_decay: Decay = 5e-4,
    decay_all: bool = True,
) -> Optimizer:
    """Stochastic gradient descent with momentum (Sutskever et al. 2013)."""
    if nesterov and not momentum:
        raise UsageError("sgd(nesterov=True) needs a momentum", remedy="sgd(nesterov=False)")
    settings = {"update": _sgd_update, "lr": lr, "momentum": momentum, "nesterov": nesterov}
    return Optimizer(_groups(_trained(model), settings, weight_decay, decay_all=decay_all))


def adam(
    model: nn.Module,
    *,
    lr: Rate = 1e-3,
    beta1: BelowOne = 0.9,
    beta2: BelowOne = 0.999,
    eps: Fraction = 1e-7,
) -> Optimizer:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980); eps as in Keras."""
    settings = {"update": _adam_update, "lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    return Optimizer(_groups(_trained(model), settings, 0.0, decay_all=True))


def adamw(
    model: nn.Module,
    *,
    lr: Rate = 1e-3,
    beta1: BelowOne = 0.9,
    beta2: BelowOne = 0.999,
    eps: Fraction = 1e-8,
    weight_decay: Decay = 0.05,
    decay_all: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    settings = {"update": _adam_update, "lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    return Optimizer(_groups(_trained(model), settings, weight_decay, decay_all=decay_all))


def muon(
    model: nn.Module,
    *,
    lr: Rate = 0.18,
    momentum: BelowOne = 0.6,
    steps: Annotated[int, Range(1, 100)] = 3,
    sgd_lr: Rate = 1.38,
    sgd_momentum: BelowOne = 0.9,
    weight_decay: Decay = 5e-4,
) -> Optimizer:
    """Orthogonalised momentum for convolution filters, Nesterov SGD for all else.

    Jordan 2024, "Muon". Filters keep a fixed norm, as in cifar10-airbench, so every convolution
    should be followed by normalisation.

    lr, momentum: for filters. steps: of the Newton-Schulz iteration, at least 1.
    sgd_lr, sgd_momentum: for dense layers, normalisation and biases.
    weight_decay: for dense layers' weights only.
    """
    filters = [p for p in _trained(model) if p.ndim == 4]
    others = [p for p in _trained(model) if p.ndim != 4]
    settings = {"update": _sgd_update, "lr": sgd_lr, "momentum": sgd_momentum, "nesterov": True}
    groups = [{"params": filters, "update": update, "lr": lr, "momentum": momentum, "steps": steps}]
    others_groups = _groups(others, settings, weight_decay, decay_all=False)
    return Optimizer([*(groups if filters else []), *others_groups])


def _sgd_update(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    buffers: Sequence[Buffers],
    group: Group,
) -> None:
    momenta = [own.get("momentum_buffer") for own in buffers]
    _sgd.sgd(
        list(parameters), list(gradients), momenta, fused=True, dampening=0.0, maximize=False,
        lr=group["lr"], momentum=group["momentum"], nesterov=group["nesterov"],
        weight_decay=group["weight_decay"],
    )  # fmt: skip
    for own, momentum in zip(buffers, momenta, strict=True):
        if momentum is not None:
            own["momentum_buffer"] = momentum


def _adam_update(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    buffers: Sequence[Buffers],
    group: Group,
) -> None:
    for own, parameter in zip(buffers, parameters, strict=True):
        if not own:
            own["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            own["exp_avg"] = torch.zeros_like(parameter)
            own["exp_avg_sq"] = torch.zeros_like(parameter)
    first, second, steps = (
        [own[name] for own in buffers] for name in ("exp_avg", "exp_avg_sq", "step")
    )
    _adam.adam(
        list(parameters), list(gradients), first, second, [], steps, fused=True, amsgrad=False,
        maximize=False, lr=group["lr"], beta1=group["beta1"], beta2=group["beta2"],
        eps=group["eps"], weight_decay=group["weight_decay"], decoupled_weight_decay=True,
    )  # fmt: skip


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def _groups(
    parameters: Sequence[nn.Parameter], settings: Group, weight_decay: float, *, decay_all: bool
) -> list[Group]:
    decayed = [p for p in parameters if decay_all or p.ndim > 1]
    excluded = [p for p in parameters if not (decay_all or p.ndim > 1)]
    groups = [{"params": decayed, "weight_decay": weight_decay, **settings}]
    if excluded:
        groups.append({"params": excluded, "weight_decay": 0.0, **settings})
    return groups
