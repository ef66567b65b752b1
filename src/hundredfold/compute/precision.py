"""Choose fp32 or bf16 by timing trials of matrix products and of the training step."""

import copy
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from hundredfold.compute import bf16
from hundredfold.compute.device import finish
from hundredfold.compute.trials import Trial, compare

_FEWEST = 16  # images of a trial's first step
_ENOUGH = 0.2  # seconds of both steps: more images do not make a trial more accurate
_PRODUCTS = 0.5  # seconds at most for matrix products

Step = Callable[[], None]


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a model runs in "bf16" or "fp32".

    The cache of cast weights is off: threads would share it, and with it the autograd graphs.
    """
    enabled = precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


def choose(
    model: nn.Module, images: Tensor, targets: Tensor, *, cache: Path, key: str
) -> tuple[str, str]:
    """Return "bf16" or "fp32", and a sentence saying why.

    images, targets: one batch on the model's device. A trial whose rounds agree is cached under
    `key`, the machine and torch's version.
    """
    device = images.device
    chip = [platform.machine(), torch.backends.cpu.get_cpu_capability()]
    facts = [key, str(device), torch.get_num_threads(), torch.__version__, chip]
    chosen, reason = bf16.choose(
        cache, facts, lambda: _products(device), lambda: _steps(model, images, targets)
    )
    return chosen, f"{chosen} ({reason})"


def promising(device: torch.device) -> str:
    """Return "bf16" or "fp32" by matrix products only, in less than a second."""
    return "bf16" if _products(device, 512).ratio >= bf16.WORTH else "fp32"


def _products(device: torch.device, size: int = 256) -> Trial:
    """Compare a matrix product in bf16 with that in fp32."""

    def product(dtype: torch.dtype) -> Step:
        square = torch.ones(size, size, device=device, dtype=dtype)

        def step() -> None:
            torch.mm(square, square)
            finish(device)

        return step

    return compare(product(torch.float32), product(torch.bfloat16), seconds=_PRODUCTS)


def _steps(model: nn.Module, images: Tensor, targets: Tensor) -> Trial:
    """Compare a step in bf16 with one in fp32, on as many images as `_ENOUGH` allows."""
    model, count = copy.deepcopy(model), _FEWEST
    while True:
        batch = images[:count], targets[:count]
        fp32, bf16_step = (_step(model, *batch, precision) for precision in ("fp32", "bf16"))
        if count >= len(images) or _seconds(fp32, bf16_step) > _ENOUGH:
            return compare(fp32, bf16_step)
        count *= 2


def _step(model: nn.Module, images: Tensor, targets: Tensor, precision: str) -> Step:
    def step() -> None:
        with autocast(images.device, precision):
            logits = model(images)
        loss = nn.functional.cross_entropy(logits.float(), targets)
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        finish(images.device)

    return step


def _seconds(*steps: Step) -> float:
    """Return the seconds of steps, after one call of each to warm up."""
    for step in steps:
        step()
    began = time.perf_counter()
    for step in steps:
        step()
    return time.perf_counter() - began
