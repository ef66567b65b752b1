"""Out of memory: the batch stays, its micro-batches shrink, and it is logged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hundredfold import training
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.errors import CheckError, Interrupted
from hundredfold.optim import losses, optimizers, resolutions
from hundredfold.run import Run
from hundredfold.training import saves
from hundredfold.training.loop import Loop
from hundredfold.training.position import step_seed

ERRORS = {
    "CUDA": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "CPU": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    "Python": MemoryError(),
}


class _Tight(nn.Module):
    """A network that has memory for `room` images; the statistics come before it runs out."""

    def __init__(self, room: int, error: BaseException) -> None:
        super().__init__()
        self.room, self.error = room, error
        self.norm, self.dense, self.drop = nn.BatchNorm2d(3), nn.Linear(12, 2), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        normed = self.norm(images.float())
        if len(images) > self.room:
            raise self.error
        return self.drop(self.dense(normed.flatten(1)))


def _learner(room: int, error: BaseException, micro_batch: int = 0, **options: Any) -> Learner:
    torch.manual_seed(0)
    model = _Tight(room, error)
    parts = optimizers.adam(model), losses.cross_entropy, lambda _: 1.0, resolutions.full
    return Learner(model, *parts, precision="fp32", micro_batch=micro_batch, **options)


def _batch(number: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(number)
    return torch.randint(256, (16, 3, 2, 2), dtype=torch.uint8), torch.rand(16, 2).softmax(1)


@pytest.mark.parametrize("error", ERRORS)
def test_a_step_that_runs_out_of_memory_is_the_step_in_smaller_micro_batches(error: str) -> None:
    logged: list[str] = []
    tight = _learner(5, ERRORS[error], say=logged.append)
    small = _learner(99, ERRORS[error], micro_batch=4)
    for number in range(3):
        sums, expected = (
            learner.step(*_batch(number), 0.0, step_seed(0, 0, number))
            for learner in (tight, small)
        )
        assert torch.equal(sums, expected)
    for name, tensor in small.tensors().items():
        assert torch.equal(tight.tensors()[name], tensor), name
    assert tight.micro_batch == 4
    assert len(logged) == 2
    assert "the batch stays 16, in micro-batches of 4" in logged[-1]


def test_where_not_even_two_images_fit_it_is_one_sentence() -> None:
    with pytest.raises(CheckError, match="not enough memory for a step of two images"):
        _learner(1, ERRORS["CPU"]).step(*_batch(0), 0.0, 1)


def test_another_error_is_not_taken_for_one_of_memory() -> None:
    with pytest.raises(RuntimeError, match="sizes"):
        _learner(1, RuntimeError("sizes do not match")).step(*_batch(0), 0.0, 1)


def test_a_resumed_run_keeps_its_micro_batch(
    small_run: Callable[..., Run],
    tmp_path: Path,
    progress: training.Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory runs out in the first step; a run that is stopped later does not try again."""
    loss_and_correct, tries = Learner._loss_and_correct, []

    def tight(
        self: Learner, model: nn.Module, images: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        if len(images) > 8:
            tries.append(len(images))
            raise ERRORS["CPU"]
        return loss_and_correct(self, model, images, targets)

    monkeypatch.setattr(Learner, "_loss_and_correct", tight)
    whole = small_run("whole", model="wrn(depth=10, width=1)", epochs=3)
    assert whole.info["micro_batch"] == 8
    assert "in micro-batches of 8" in (whole.folder / "log.txt").read_text()
    finish_epoch = Loop._finish_epoch

    def stop(self: Loop, row: dict[str, float]) -> None:
        finish_epoch(self, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(saves, "SHARE_OF_TIME", float("inf"))
        patch.setattr(Loop, "_finish_epoch", stop)
        small_run("stopped", model="wrn(depth=10, width=1)", epochs=3)
    tries.clear()
    stopped = Run(tmp_path / "runs" / "stopped")
    training.resume(stopped, training.Options(Source(), threads=1), progress, ENGINE)
    assert tries == []
    assert stopped.best().read_bytes() == whole.best().read_bytes()
