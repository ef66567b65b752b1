"""Features a second: a frozen backbone as `train` runs it, against plain eager PyTorch.

    python benchmarks/extract.py --backbone densenet169 --resolution 96 --threads 1

Both compute the same features of the same images in one process, interleaved block by block.
Plain means the network's layers as they are, in evaluation mode under `inference_mode`,
channels-last, on images that were resized before the clock started; in bf16 (autocast) and in
fp32. Ours is what `engines/pytorch/on_features.py` calls: bytes in, resizing included, norms
folded, in the precision that is faster here. Weights are drawn, which changes no time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import _common
import torch
from _ours import Recipe, Transfer, autocast, build, extract, folded, machine, resized
from torch import Tensor

CPU = torch.device("cpu")


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(options.threads)
    probe = f"linear_probe(input_size={options.resolution})"
    recipe = Recipe(model=options.backbone, weights="imagenet", strategy=probe)
    model = build(recipe, classes=100, size=32, input_size=options.resolution).eval()
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
    facts = _facts(rates, vars(options))
    speeds = facts["images_per_second"].items()
    cells = [["features a second", ""], *([name, f"{rate:,.1f}"] for name, rate in speeds)]
    _common.report("extract", cells, facts, options.record)


def _options() -> argparse.Namespace:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--backbone", default="densenet169")
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64, help="of the peer")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.cores())
    return parser.parse_args()


def _ways(model: Transfer, pixels: Tensor, batch: int) -> dict[str, Callable[[], Tensor]]:
    """Return name -> a function that computes the features of all images."""
    images = resized(pixels, model.input_size)
    lighter = folded(model)

    def plain(precision: str) -> Tensor:
        with torch.inference_mode(), autocast(CPU, precision):
            return torch.cat([model.backbone(some).float() for some in torch.split(images, batch)])

    return {
        "ours fp32": lambda: extract(lighter, CPU, "fp32", pixels),
        "ours bf16": lambda: extract(lighter, CPU, "bf16", pixels),
        "plain fp32": lambda: plain("fp32"),
        "plain bf16": lambda: plain("bf16"),
    }


def _facts(rates: dict[str, list[float]], options: dict[str, Any]) -> _common.Facts:
    """Return median rates, and ours over each peer: median and range over the blocks."""
    ours = max(("ours fp32", "ours bf16"), key=lambda name: statistics.median(rates[name]))
    names = ("backbone", "resolution", "images", "batch", "threads")
    return {
        **{name: options[name] for name in names},
        "n": options["blocks"],
        "precision": "bf16 and fp32",
        "images_per_second": {name: statistics.median(found) for name, found in rates.items()},
        "ratios": {
            f"{ours} over {name}": _common.ratio(rates[ours], rates[name])
            for name in ("plain fp32", "plain bf16")
        },
    }


if __name__ == "__main__":
    main()
