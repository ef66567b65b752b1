"""Whether this machine gains from bf16: a short probe of the very step, remembered."""

import copy
import hashlib
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from hundredfold import files
from hundredfold.compute.device import finish

WORTH = 1.15  # bf16 has to be this many times faster
_HOPELESS = 0.5  # where its products are emulated they take ten times as long and more
_TRIES = 5  # of a product, of which the best counts
_SECONDS = 0.6  # for each precision


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

    images, targets: one batch on the model's device. What a probe found is kept in the
    cache under `key`, the machine and torch's version, so that it is done once.
    """
    device = images.device
    machine = f"{key} {device} {torch.get_num_threads()} {torch.__version__} {_processor()}"
    place = cache / "probes" / f"{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"
    ratio = _remembered(place)
    words = "measured before"
    if ratio is None:
        products = _products(device)  # a step in bf16 that is emulated takes minutes
        ratio = products if products < _HOPELESS else _probe(model, images, targets)
        words = "measured now"
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(place, {"bf16_over_fp32": ratio, "of": machine})
    chosen = "bf16" if ratio >= WORTH else "fp32"
    return chosen, f"{chosen} (a bf16 step is {ratio:.2f} times as fast here, {words})"


def promising(device: torch.device) -> str:
    """Return "bf16" or "fp32" by matrix products alone: some milliseconds, without a probe."""
    return "bf16" if _products(device, 512) >= WORTH else "fp32"


def _products(device: torch.device, size: int = 256) -> float:
    """Return the speed of a matrix product in bf16 over that in fp32."""
    best = []
    for kind in (torch.float32, torch.bfloat16):
        square = torch.ones(size, size, device=device, dtype=kind)
        best.append(min(_timed(lambda s=square: s @ s, device) for _ in range(_TRIES)))  # type: ignore[misc]
    return best[0] / best[1]


def _probe(model: nn.Module, images: Tensor, targets: Tensor) -> float:
    """Return a bf16 step's speed over an fp32 step's, the two in turn."""
    model = copy.deepcopy(model)
    steps = {p: _step(model, images, targets, p) for p in ("fp32", "bf16")}
    for step in steps.values():
        step()
    best = dict.fromkeys(steps, float("inf"))
    end = time.perf_counter() + 2 * _SECONDS
    while time.perf_counter() < end:
        for name, step in steps.items():
            best[name] = min(best[name], _timed(step, images.device))
    return best["fp32"] / best["bf16"]


def _step(model: nn.Module, images: Tensor, targets: Tensor, precision: str) -> Callable[[], None]:
    def step() -> None:
        with autocast(images.device, precision):
            logits = model(images)
        loss = nn.functional.cross_entropy(logits.float(), targets)
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]

    return step


def _timed(step: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    step()
    finish(device)
    return time.perf_counter() - began


def _remembered(place: Path) -> float | None:
    try:
        return float(json.loads(place.read_text(encoding="utf-8"))["bf16_over_fp32"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _processor() -> str:
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
