"""Schedules against torch's schedulers and closed forms."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.optim import schedules

STEPS = 40


def _torch_rates(make: object) -> list[float]:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def _ours(schedule: object, **options: object) -> list[float]:
    return [schedule(step / STEPS, **options) for step in range(STEPS)]  # type: ignore[operator]


def test_cosine_is_torchs_cosine_annealing() -> None:
    expected = _torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1))
    assert _ours(schedules.cosine, final=0.1) == pytest.approx(expected, abs=1e-6)


def test_steps_are_torchs_multi_step() -> None:
    expected = _torch_rates(lambda o: lr_scheduler.MultiStepLR(o, [10, 30], gamma=0.2))
    assert _ours(schedules.steps, at=(0.25, 0.75), factor=0.2) == pytest.approx(expected)


def test_linear_is_torchs_linear() -> None:
    expected = _torch_rates(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, total_iters=STEPS))
    assert _ours(schedules.linear, final=0.25) == pytest.approx(expected)


def test_one_cycle_is_torchs_one_cycle() -> None:
    """torch counts to the last step and puts the peak one step early; so it gets one more."""
    total = STEPS + 1

    def make(optimizer: torch.optim.Optimizer) -> lr_scheduler.OneCycleLR:
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=1.0,
            total_steps=total,
            pct_start=(0.3 * STEPS + 1) / total,
            div_factor=25,
            final_div_factor=1e9,
            cycle_momentum=False,
        )

    ours = _ours(schedules.one_cycle, warmup=0.3, start=0.04)
    assert ours == pytest.approx(_torch_rates(make), abs=1e-6)


def test_the_default_steps_are_the_papers() -> None:
    at_epochs = [schedules.steps(epoch / 200) for epoch in (0, 59, 60, 119, 120, 159, 160, 199)]
    assert at_epochs == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04, 0.008, 0.008])


@pytest.mark.parametrize("name", ["constant", "cosine", "linear"])
def test_a_warm_up_rises_in_a_line_to_the_full_rate(name: str) -> None:
    schedule = getattr(schedules, name)
    assert schedule(0.05, warmup=0.2) == pytest.approx(0.25)
    assert schedule(0.15, warmup=0.2) == pytest.approx(0.75)
    assert schedule(0.2, warmup=0.2) == pytest.approx(1.0)
    assert 0 < schedule(0.0, warmup=0.2) < 0.01, "the first step does something"


def test_a_warm_up_leaves_the_whole_fall_to_the_rest() -> None:
    half = 0.2 + 0.8 / 2
    assert schedules.cosine(half, warmup=0.2) == pytest.approx(0.5)
    assert schedules.linear(half, warmup=0.2) == pytest.approx(0.5)
    assert schedules.cosine(0.2 + 0.8 / 3, warmup=0.2) == pytest.approx(0.75)
    assert schedules.cosine(1 - 1e-9, warmup=0.2) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "one_cycle", "steps"])
def test_every_schedule_stays_a_factor(name: str) -> None:
    factors = _ours(getattr(schedules, name))
    assert all(math.isfinite(factor) and 0 <= factor <= 1 for factor in factors)
    assert max(factors) == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "one_cycle"])
@pytest.mark.parametrize("warmup", [-0.5, 1.0, 2.0])
def test_a_warm_up_that_is_no_fraction_is_refused(name: str, warmup: float) -> None:
    with pytest.raises(UsageError, match="warmup"):
        spec.part(f"{name}(warmup={warmup})", "hundredfold.optim.schedules")
