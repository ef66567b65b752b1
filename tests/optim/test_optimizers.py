"""Optimizers against torch's plain ones, and by what they do to a bowl."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from hundredfold import spec
from hundredfold.optim import Optimizer, optimizers

PACKAGE = "hundredfold.optim.optimizers"
Make = Callable[[nn.Module], Optimizer | torch.optim.Optimizer]


def _model() -> nn.Module:
    torch.manual_seed(1)
    parts = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5)
    return nn.Sequential(*parts).to(memory_format=torch.channels_last)


def _walk(make: Make, steps: int = 6) -> list[torch.Tensor]:
    """Return the parameters after some steps along gradients that depend on the step alone."""
    model, generator = _model(), torch.Generator().manual_seed(2)
    optimizer = make(model)
    for _ in range(steps):
        optimizer.zero_grad()
        for parameter in model.parameters():
            (parameter * torch.randn(parameter.shape, generator=generator)).sum().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (
            lambda m: optimizers.sgd(m, lr=0.1, weight_decay=0.01),
            lambda m: SGD(m.parameters(), 0.1, 0.9, nesterov=True, weight_decay=0.01),
        ),
        (
            lambda m: optimizers.sgd(m, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0),
            lambda m: SGD(m.parameters(), 0.1),
        ),
        (
            lambda m: optimizers.adam(m, lr=0.01),
            lambda m: Adam(m.parameters(), 0.01, eps=1e-7),
        ),
        (
            lambda m: optimizers.adamw(m, lr=0.01, weight_decay=0.3, decay_all=True),
            lambda m: AdamW(m.parameters(), 0.01, weight_decay=0.3),
        ),
    ],
    ids=["sgd", "sgd without momentum", "adam", "adamw"],
)
def test_the_fused_update_is_the_plain_one(ours: Make, plain: Make) -> None:
    unfused: Make = lambda m: _unfused(plain(m))  # noqa: E731
    for actual, expected in zip(_walk(ours), _walk(unfused), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_gradients_lie_in_memory_as_their_parameters(precision: torch.dtype) -> None:
    """A fused update walks memory: it would pair the wrong numbers otherwise."""
    model = _model()
    images = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
        logits = model(images)
    logits.float().square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.stride() == parameter.stride()


def _unfused(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimizer.param_groups:
        group["fused"], group["foreach"] = False, False
    return optimizer


def _shrunk(make: Make) -> list[bool]:
    """Return for each parameter whether a step without gradients made it smaller."""
    model = _model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make(model).step()
    return [bool((p < 1).all()) for p in model.parameters()]


WEIGHTS_ONLY = [True, False, False, False, True, False]  # conv, norm and dense: weight, bias


def test_sgd_decays_everything_unless_told_to_spare() -> None:
    assert _shrunk(lambda m: optimizers.sgd(m, weight_decay=0.1)) == [True] * 6
    spared = _shrunk(lambda m: optimizers.sgd(m, weight_decay=0.1, decay_all=False))
    assert spared == WEIGHTS_ONLY


def test_adamw_spares_biases_and_normalisation_unless_told_not_to() -> None:
    assert _shrunk(lambda m: optimizers.adamw(m, weight_decay=0.1)) == WEIGHTS_ONLY
    everything = _shrunk(lambda m: optimizers.adamw(m, weight_decay=0.1, decay_all=True))
    assert everything == [True] * 6


def test_adam_decays_nothing() -> None:
    assert _shrunk(optimizers.adam) == [False] * 6


@pytest.mark.parametrize("name", spec.names(PACKAGE))
def test_every_optimizer_trains_every_parameter_once(name: str) -> None:
    model = _model()
    optimizer = spec.resolve(name, PACKAGE)(model)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", spec.names(PACKAGE))
def test_every_optimizer_rolls_down_a_bowl(name: str) -> None:
    bowl = nn.Linear(8, 1, bias=False)
    with torch.no_grad():
        bowl.weight.copy_(torch.linspace(-2, 2, 8))
    rate = "sgd_lr" if name == "muon" else "lr"  # Muon's own is that of filters
    optimizer = spec.resolve(f"{name}({rate}=0.05)", PACKAGE)(bowl)
    before = float(bowl.weight.detach().square().sum())
    for _ in range(60):
        optimizer.zero_grad()
        bowl.weight.square().sum().backward()
        optimizer.step()
    assert float(bowl.weight.detach().square().sum()) < 0.2 * before
