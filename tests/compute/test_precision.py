"""Timing trials of the training step: they train nothing, and are done once."""

from pathlib import Path

import pytest
import torch

from hundredfold.compute import precision
from hundredfold.compute.trials import Trial

IMAGES, TARGETS = torch.rand(40, 3, 2, 2), torch.eye(3)[torch.arange(40) % 3]


@pytest.fixture(autouse=True)
def gaining(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let matrix products be twice as fast in bf16."""
    monkeypatch.setattr(precision, "_products", lambda _: Trial(2.0, agreed=True))


def model() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3), torch.nn.BatchNorm1d(3))


def test_a_trial_trains_nothing_and_is_reported(tmp_path: Path) -> None:
    network = model()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    chosen, why = precision.choose(network, IMAGES, TARGETS, cache=tmp_path, key="a")
    assert why.startswith(chosen) and "measured now" in why
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_trial_that_agreed_is_done_once_for_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def compared(*_steps: object) -> Trial:
        tried.append(1)
        return Trial(1.5, agreed=True)

    monkeypatch.setattr(precision, "compare", compared)
    for key in ("a", "a", "b"):
        step_arguments = (model(), IMAGES, TARGETS)
        assert precision.choose(*step_arguments, cache=tmp_path, key=key)[0] == "bf16"
    assert len(tried) == 2


@pytest.mark.parametrize(("seconds", "images"), [(0.0, 40), (1.0, 16)])
def test_slow_steps_are_tried_on_fewer_images(
    monkeypatch: pytest.MonkeyPatch, seconds: float, images: int
) -> None:
    counts: list[int] = []
    step = precision._step

    def counted(network, some, targets, kind):
        counts.append(len(some))
        return step(network, some, targets, kind)

    monkeypatch.setattr(precision, "_step", counted)
    monkeypatch.setattr(precision, "_seconds", lambda *_: seconds)
    precision._steps(model(), IMAGES, TARGETS)
    assert counts[-1] == images


def test_products_are_timed_on_the_device_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    before = torch.get_rng_state()
    assert 0 < precision._products(torch.device("cpu"), size=16).ratio < float("inf")
    assert torch.equal(torch.get_rng_state(), before)
