"""Out of memory: the same batch again, in pieces of half the size."""

from collections.abc import Callable

import torch
from torch import Tensor

from hundredfold.errors import CheckError
from hundredfold.training.learner import Learner

_WORDS = ("can't allocate memory", "out of memory")  # of torch's allocators and its libraries


class Steps:
    """Steps of a learner that end with the batch they began with, in ever smaller pieces.

    What a step that ran out of memory changed is undone: the statistics of BatchNorm; a step
    seeds its own draws and gradients begin at nothing. The piece's size stays halved. Layers
    in inference mode, as those of a backbone are, change nothing.
    """

    def __init__(self, learner: Learner, say: Callable[[str], None]) -> None:
        self._learner, self._say = learner, say
        changing = (module for module in learner.model.modules() if module.training)
        self._buffers = [b for module in changing for b in module.buffers(recurse=False)]
        self._spare = [buffer.clone() for buffer in self._buffers]

    def __call__(self, images: Tensor, targets: Tensor, progress: float, key: int) -> Tensor:
        """Do one step as `Learner.step`. Raises CheckError where two images do not fit."""
        while True:
            self._copy(self._spare, self._buffers)
            try:
                return self._learner.step(images, targets, progress, key)
            except (RuntimeError, MemoryError) as error:
                if not _ran_out(error):
                    raise
            # outside of `except`: the error holds on to the memory of its step
            self._copy(self._buffers, self._spare)
            self._halve(len(images))

    @torch.no_grad()
    def _copy(self, target: list[Tensor], source: list[Tensor]) -> None:
        if target:
            torch._foreach_copy_(target, source)

    def _halve(self, batch: int) -> None:
        learner = self._learner
        learner.optimizer.zero_grad()
        size = learner.share(batch).piece
        if size <= 2:  # BatchNorm has nothing to average in a single image
            raise CheckError(
                "the memory does not suffice for a step of two images",
                remedy="a smaller model or smaller images",
            )
        learner.micro_batch = (size + 1) // 2
        if learner.device.type == "cuda":
            torch.cuda.empty_cache()
        self._say(
            f"memory     {size} images at once do not fit; the batch stays {batch}, in pieces of "
            f"{learner.micro_batch}, which is what BatchNorm sees"
        )


def _ran_out(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(words in str(error) for words in _WORDS)
