"""Out of memory: the batch stays, its pieces shrink, and it is said aloud."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hundredfold import training
from hundredfold.data import Source
from hundredfold.engines.pytorch import learner, memory
from hundredfold.engines.pytorch.learner import Learner, key_of
from hundredfold.errors import CheckError
from hundredfold.optim import losses, optimizers, resolutions
from hundredfold.run import Run

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


def _learner(room: int, error: BaseException, micro_batch: int = 0) -> Learner:
    torch.manual_seed(0)
    model = _Tight(room, error)
    return Learner(model, optimizers.adam(model), losses.cross_entropy, lambda _: 1.0,
                   resolutions.full, precision="fp32", micro_batch=micro_batch)  # fmt: skip


def _batch(number: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(number)
    return torch.randint(256, (16, 3, 2, 2), dtype=torch.uint8), torch.rand(16, 2).softmax(1)


@pytest.mark.parametrize("error", ERRORS)
def test_a_step_that_runs_out_of_memory_is_the_step_in_smaller_pieces(error: str) -> None:
    tight, small = _learner(5, ERRORS[error]), _learner(99, ERRORS[error], micro_batch=4)
    said: list[str] = []
    step = memory.Steps(tight, said.append)
    for number in range(3):
        found = step(*_batch(number), 0.0, key_of(0, 0, number))
        assert torch.equal(found, small.step(*_batch(number), 0.0, key_of(0, 0, number)))
    for name, tensor in small.tensors().items():
        assert torch.equal(tight.tensors()[name], tensor), name
    assert tight.micro_batch == 4
    assert len(said) == 2
    assert "the batch stays 16, in pieces of 4" in said[-1]


def test_where_not_even_two_images_fit_it_is_one_sentence() -> None:
    step = memory.Steps(_learner(1, ERRORS["CPU"]), lambda _: None)
    with pytest.raises(CheckError, match="does not suffice"):
        step(*_batch(0), 0.0, 1)


def test_another_error_is_not_taken_for_one_of_memory() -> None:
    step = memory.Steps(_learner(1, RuntimeError("sizes do not match")), lambda _: None)
    with pytest.raises(RuntimeError, match="sizes"):
        step(*_batch(0), 0.0, 1)


def test_a_resumed_run_keeps_the_size_of_the_pieces(
    small_run: Callable[..., Run],
    tmp_path: Path,
    progress: training.Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory runs out in the first step; a run that is stopped later does not try again."""
    judged, tries = Learner._loss_and_correct, []

    def tight(
        self: Learner, model: nn.Module, images: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        if len(images) > 8:
            tries.append(len(images))
            raise ERRORS["CPU"]
        return judged(self, model, images, targets)

    monkeypatch.setattr(learner.Learner, "_loss_and_correct", tight)
    whole = small_run("whole", model="wrn(depth=10, width=1)", epochs=3)
    assert whole.info["micro_batch"] == 8
    assert "in pieces of 8" in (whole.folder / "log.txt").read_text()
    close_epoch = training.fit.Fit._close_epoch

    def stop(self: training.fit.Fit, row: dict[str, float]) -> None:
        close_epoch(self, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(training.session.Interrupted):
        patch.setattr(training.fit, "SAVING_SHARE", float("inf"))
        patch.setattr(training.fit.Fit, "_close_epoch", stop)
        small_run("stopped", model="wrn(depth=10, width=1)", epochs=3)
    tries.clear()
    stopped = Run(tmp_path / "runs" / "stopped")
    training.resume(stopped, training.Options(Source(), threads=1), progress)
    assert tries == []
    assert stopped.best().read_bytes() == whole.best().read_bytes()
