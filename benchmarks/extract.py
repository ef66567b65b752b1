"""Features a second: a frozen backbone as `train` runs it, against plain eager PyTorch.

    python benchmarks/extract.py --backbone densenet169 --resolution 96 --threads 1

Both compute the same features of the same images in one process, in turn, block by block.
Plain means the network's layers as they are, in evaluation mode under `inference_mode`,
channels-last, on images that were resized before the clock started; in bf16 (autocast) and in
fp32. Ours is what `training/frozen.py` calls: bytes in, resizing included, norms folded, in the
precision that is faster here. Weights are drawn, which changes no time. Prints one JSON object.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hundredfold import machine, models, spec
from hundredfold.compute import device
from hundredfold.engines.pytorch import transfer
from hundredfold.inference import autocast
from hundredfold.models.transfer import Transfer, resized

CPU = torch.device("cpu")


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(options.threads)
    text = f"transfer(backbone={options.backbone!r}, resolution={options.resolution})"
    model = models.build(spec.parse(text), classes=100, size=32, seed=0).eval()
    assert isinstance(model, Transfer)
    shape = (options.images, 32, 32, 3)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8).permute(0, 3, 1, 2)
    ways = _ways(model, pixels, options.batch)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(options.blocks):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            rates[name].append(options.images / (time.perf_counter() - began))
    print(json.dumps(_report(rates, vars(options)), indent=1))  # noqa: T201


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backbone", default="densenet169")
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64, help="of the peer")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.cores())
    return parser.parse_args()


def _ways(model: Transfer, pixels: Tensor, batch: int) -> dict[str, Callable[[], Tensor]]:
    """Return name -> a function that computes the features of all images."""
    images = resized(pixels, model.resolution)
    lighter = transfer.folded(model)

    def plain(precision: str) -> Tensor:
        with torch.inference_mode(), autocast(CPU, precision):
            return torch.cat([model.backbone(some).float() for some in torch.split(images, batch)])

    return {
        "ours fp32": lambda: transfer.extract(lighter, CPU, "fp32", pixels),
        "ours bf16": lambda: transfer.extract(lighter, CPU, "bf16", pixels),
        "plain fp32": lambda: plain("fp32"),
        "plain bf16": lambda: plain("bf16"),
    }


def _report(rates: dict[str, list[float]], options: dict[str, Any]) -> dict[str, Any]:
    """Return median rates, and ours over each peer: median and range over the blocks."""
    ours = max(("ours fp32", "ours bf16"), key=lambda name: statistics.median(rates[name]))
    found: dict[str, Any] = {"device": device.name_of(CPU), "torch": torch.__version__, **options}
    found["images_per_second"] = {n: round(statistics.median(r), 1) for n, r in rates.items()}
    for name in ("plain fp32", "plain bf16"):
        ratios = sorted(a / b for a, b in zip(rates[ours], rates[name], strict=True))
        middle = statistics.median(ratios)
        found[f"{ours} over {name}"] = [round(r, 2) for r in (middle, ratios[0], ratios[-1])]
    return found


if __name__ == "__main__":
    main()
