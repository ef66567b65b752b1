"""Retry a step that ran out of memory with half the micro-batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hundredfold.errors import CheckError
from hundredfold.shortage import is_shortage


class Retry:
    """Retry a step that ran out of memory with half the micro-batch until it fits.

    BatchNorm's statistics are restored before a retry. Nothing else needs it: a step seeds its
    random numbers and starts without gradients. Layers in inference mode change nothing.
    """

    def __init__(self, model: nn.Module) -> None:
        changing = (module for module in model.modules() if module.training)
        self._buffers = [b for module in changing for b in module.buffers(recurse=False)]
        self._spare = [buffer.clone() for buffer in self._buffers]

    def __call__(self, step: Callable[[], Tensor], halve: Callable[[], None]) -> Tensor:
        """Return the result of `step`; call `halve` each time that it runs out of memory."""
        while True:
            self._copy(self._spare, self._buffers)
            try:
                return step()
            except (RuntimeError, MemoryError) as error:
                if not is_shortage(error):
                    raise
            # outside of `except`, because the error keeps the memory of its step
            self._copy(self._buffers, self._spare)
            halve()

    @torch.no_grad()
    def _copy(self, target: list[Tensor], source: list[Tensor]) -> None:
        if target:
            torch._foreach_copy_(target, source)


def half(micro_batch: int) -> int:
    """Return half of a micro-batch, rounded up. Raises CheckError for two images or fewer."""
    if micro_batch <= 2:  # BatchNorm cannot average over a single image
        raise CheckError(
            "there is not enough memory for a step of two images",
            remedy="a smaller model or smaller images",
        )
    return (micro_batch + 1) // 2
