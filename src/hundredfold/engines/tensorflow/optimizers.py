"""Optimizers of Keras, with the options of `hundredfold.optim.optimizers`."""

from typing import Any

import keras


def adam(
    variables: Any,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-7,
) -> Any:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980)."""
    optimizer = keras.optimizers.Adam(lr, beta1, beta2, eps)
    optimizer.build(variables)
    return optimizer


def adamw(
    variables: Any,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.05,
    decay_all: bool = False,
) -> Any:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    optimizer = keras.optimizers.AdamW(lr, weight_decay, beta1, beta2, eps)
    if not decay_all:
        excluded = [variable for variable in variables if len(variable.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=excluded)
    optimizer.build(variables)
    return optimizer
