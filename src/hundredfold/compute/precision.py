"""Whether this machine gains from bf16: timing trials of matrix products and of the very step."""

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

_FEWEST = 16  # images that a trial begins with
_ENOUGH = 0.2  # seconds of both steps with enough images: more make a trial longer, not truer
_PRODUCTS = 0.5  # seconds at most for products of matrices

Step = Callable[[], None]


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a model runs in "bf16" or "fp32".

    Cast weights are not kept: all threads would share them, and with them their graphs.
    """
    enabled = precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


def choose(
    model: nn.Module, images: Tensor, targets: Tensor, *, cache: Path, key: str
) -> tuple[str, str]:
    """Return "bf16" or "fp32", and a sentence saying why.

    images, targets: one batch on the model's device. A trial whose rounds agree is kept in the
    cache under `key`, the machine and torch's version, so that it is done once.
    """
    device = images.device
    chip = [platform.machine(), torch.backends.cpu.get_cpu_capability()]
    facts = [key, str(device), torch.get_num_threads(), torch.__version__, chip]
    chosen, reason = bf16.choose(
        cache, facts, lambda: _products(device), lambda: _steps(model, images, targets)
    )
    return chosen, f"{chosen} ({reason})"


def promising(device: torch.device) -> str:
    """Return "bf16" or "fp32" by matrix products alone: a fraction of a second, without a step."""
    return "bf16" if _products(device, 512).ratio >= bf16.WORTH else "fp32"


def _products(device: torch.device, size: int = 256) -> Trial:
    """Compare a matrix product in bf16 with that in fp32."""

    def product(kind: torch.dtype) -> Step:
        square = torch.ones(size, size, device=device, dtype=kind)

        def step() -> None:
            torch.mm(square, square)
            finish(device)

        return step

    return compare(product(torch.float32), product(torch.bfloat16), seconds=_PRODUCTS)


def _steps(model: nn.Module, images: Tensor, targets: Tensor) -> Trial:
    """Compare a step in bf16 with one in fp32, on as many images as the time allows."""
    model, count = copy.deepcopy(model), _FEWEST
    while True:
        batch = images[:count], targets[:count]
        fp32, short = (_step(model, *batch, precision) for precision in ("fp32", "bf16"))
        if count >= len(images) or _seconds(fp32, short) > _ENOUGH:
            return compare(fp32, short)
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
    """Return what steps take that were done once before."""
    for step in steps:
        step()
    began = time.perf_counter()
    for step in steps:
        step()
    return time.perf_counter() - began
