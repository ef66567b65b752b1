"""A pace against training times that are made up, so that the clock is known."""

import pytest
import torch
from torch import nn

from hundredfold.compute.replicas import WorkSplit
from hundredfold.engines.pytorch.feed import Batch
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.optim import optimizers
from hundredfold.optim.resolutions import progressive
from hundredfold.training import time_budget as measured
from hundredfold.training.time_budget import TimeBudget

TIMES = {20: 1.0, 24: 2.0, 32: 4.0}


def _pace(seconds: float, validation: float = 0.0) -> TimeBudget:
    size = lambda progress: progressive(progress, 32, until=(0.2, 0.5))  # noqa: E731
    return TimeBudget(seconds, TIMES, size, validation, epoch=50)


def _train(pace: TimeBudget, steps: int, slower_after: float, slower: float) -> float:
    """Walk through a training on a machine that becomes slower, and return its seconds."""
    spent, done = 0.0, 0
    while done < steps:
        spent += TIMES[pace.size(done / steps)] * (slower if spent > slower_after else 1.0)
        done += 1
        steps = pace.steps(done, steps, spent)
    return spent


def test_a_training_takes_the_sum_of_its_steps_and_validations() -> None:
    assert _pace(0).takes(0, 100) == pytest.approx(20 * 1 + 30 * 2 + 50 * 4)
    assert _pace(0).takes(40, 100) == pytest.approx(10 * 2 + 50 * 4)
    assert _pace(0, validation=7).takes(0, 120) == pytest.approx(_pace(0).takes(0, 120) + 3 * 7), (
        "two whole epochs and one that is cut short"
    )


@pytest.mark.parametrize("seconds", [10, 100, 5000])
@pytest.mark.parametrize("done", [0, 33])
def test_the_steps_that_fit_fill_the_time(seconds: int, done: int) -> None:
    pace = _pace(seconds, validation=3)
    steps = pace.fill(done, seconds)
    assert pace.takes(done, steps) <= max(seconds, pace.takes(done, done + 1)) * 1.02
    assert pace.takes(done, steps + 3) > seconds * 0.97


def test_a_step_is_done_even_where_there_is_no_time() -> None:
    assert _pace(1).fill(12, -5.0) == 13


@pytest.mark.parametrize("slower", [0.5, 1.0, 1.7, 3.0])
def test_a_training_ends_in_time_though_the_machine_changes(slower: float) -> None:
    pace = _pace(3000)
    spent = _train(pace, pace.fill(0, 3000), slower_after=900, slower=slower)
    assert 0.95 * 3000 < spent < 1.05 * 3000


def test_a_machine_that_keeps_its_speed_keeps_its_plan() -> None:
    pace = _pace(3000)
    steps = pace.fill(0, 3000)
    spent = _train(pace, steps, slower_after=1e9, slower=1)
    assert spent == pytest.approx(pace.takes(0, steps), rel=0.002)


def test_updates_are_timed_with_the_gradients_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gradients there is nothing to update, which takes no time."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    learner = Learner(
        model, optimizers.sgd(model), nn.functional.cross_entropy, float, lambda _, size: size,
        precision="fp32",
    )  # fmt: skip
    moved: list[bool] = []
    update = learner.update

    def noted() -> None:
        moved.append(all(p.grad is not None for p in model.parameters()))
        update()

    monkeypatch.setattr(learner, "update", noted)
    batch = Batch(torch.ones(8, 3, 2, 2), torch.eye(4).repeat(2, 1))
    assert measured._seconds_of_update(learner, batch) > 0
    assert len(moved) > 1
    assert all(moved)


@pytest.mark.parametrize(("each", "piece"), [(1e-3, 256), (5e-3, 70), (1.0, 64)])
def test_as_many_images_are_measured_as_there_is_time_for(
    each: float, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.7 s for pieces of up to 256 images, two side by side; at least the first 64 of each."""
    tried: list[int] = []
    timed = lambda _learner, _batch, _size, count, most=9: tried.append(count) or each  # noqa: ARG005, E731
    monkeypatch.setattr(measured, "_of_an_image", timed)
    monkeypatch.setattr(Learner, "share", lambda *_: WorkSplit(256, 2, 1))
    batch = Batch(torch.zeros(1024, 3, 8, 8), torch.zeros(1024, 2))
    learner = Learner.__new__(Learner)
    assert measured._seconds_of_gradients(learner, batch, 8, 64) == pytest.approx(1024 * each)
    assert tried == [64, piece]
