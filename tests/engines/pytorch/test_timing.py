"""Timing trials of a job's steps."""

import pytest
import torch
from torch import nn

from hundredfold.compute.replicas import WorkSplit
from hundredfold.engines.pytorch import timing
from hundredfold.engines.pytorch.feed import Batch
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.optim import optimizers


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
    assert timing._seconds_of_update(learner, batch, timing.SECONDS) > 0
    assert len(moved) > 1
    assert all(moved)


@pytest.mark.parametrize(("each", "count"), [(1e-3, 256), (5e-3, 70), (1.0, 64)])
def test_as_many_images_are_measured_as_there_is_time_for(
    each: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.7 s for micro-batches of up to 256 images, two concurrently; at least 64 of each."""
    tried: list[int] = []
    timed = lambda _learner, _batch, _size, images, _limit, most=9: tried.append(images) or each  # noqa: ARG005, E731
    monkeypatch.setattr(timing, "_seconds_of_image", timed)
    monkeypatch.setattr(Learner, "split_work", lambda *_: WorkSplit(256, 2, 1))
    batch = Batch(torch.zeros(1024, 3, 8, 8), torch.zeros(1024, 2))
    learner = Learner.__new__(Learner)
    assert timing._seconds_of_gradients(learner, batch, 8, 64, timing.SECONDS) == pytest.approx(
        1024 * each
    )
    assert tried == [64, count]
