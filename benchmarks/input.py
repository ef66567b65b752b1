"""How many images a second the augmentations make, beside two other ways, in one run.

    python benchmarks/input.py [--threads 2] [--batch 128] [--size 32] [--rounds 15]

The other ways are a torchvision-style pipeline, image by image in Pillow on one core (as one
worker of a data loader has it), and `affine_grid` + `grid_sample` on the whole batch as the
PyTorch documentation shows them. All candidates take turns, so that a busy machine slows
them alike; the rate is that of the median round, the ratio the median of the rounds' ratios
to the other way. The table is followed by one line of JSON.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from torch.nn import functional

from hundredfold.augment import pipeline
from hundredfold.call import parse_chain
from hundredfold.feed import Feed

CHAINS = {
    "crop and flip": "pad_crop(pixels=4) | flip",
    "affine four": "flip | shift | zoom | rotate",
    "trivial": "trivial",
}


def pillow_crop(image: Image.Image, chance: random.Random) -> Image.Image:
    width, height = image.size
    left, top = chance.randrange(9), chance.randrange(9)
    image = ImageOps.expand(image, 4).crop((left, top, left + width, top + height))
    return ImageOps.mirror(image) if chance.random() < 0.5 else image


def pillow_affine(image: Image.Image, chance: random.Random) -> Image.Image:
    width, height = image.size
    angle = np.deg2rad(chance.uniform(-15, 15))
    scale, mirror = 1 / chance.uniform(0.9, 1.1), chance.choice((-1, 1))
    a, b = scale * mirror * np.cos(angle), -scale * mirror * np.sin(angle)
    c, d = scale * np.sin(angle), scale * np.cos(angle)
    x = width / 2 + chance.uniform(-0.1, 0.1) * width - a * width / 2 - b * height / 2
    y = height / 2 + chance.uniform(-0.1, 0.1) * height - c * width / 2 - d * height / 2
    numbers = (a, b, x, c, d, y)
    return image.transform(image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)


def pillow_trivial(image: Image.Image, chance: random.Random) -> Image.Image:
    level = chance.randrange(31) / 30
    operations: list[Callable[[], Image.Image]] = [
        lambda: image,
        lambda: ImageEnhance.Brightness(image).enhance(1 + 0.99 * level),
        lambda: ImageEnhance.Color(image).enhance(1 + 0.99 * level),
        lambda: ImageEnhance.Contrast(image).enhance(1 + 0.99 * level),
        lambda: ImageEnhance.Sharpness(image).enhance(1 + 0.99 * level),
        lambda: ImageOps.posterize(image, 8 - round(6 * level)),
        lambda: ImageOps.solarize(image, int(256 * (1 - level))),
        lambda: ImageOps.autocontrast(image),
        lambda: ImageOps.equalize(image),
        *[lambda: pillow_affine(image, chance)] * 5,
    ]
    return chance.choice(operations)()


def image_by_image(
    pixels: NDArray[np.uint8], change: Callable[[Image.Image, random.Random], Image.Image]
) -> Callable[[], Tensor]:
    """Return a run over all images that ends, as torchvision's does, in one uint8 tensor."""
    chance = random.Random(0)

    def run() -> Tensor:
        done = [np.asarray(change(Image.fromarray(p), chance)) for p in pixels]
        return torch.stack([torch.from_numpy(d.copy()).permute(2, 0, 1) for d in done])

    return run


def whole_batch(images: Tensor) -> Callable[[], Tensor]:
    """Return the documentation's affine_grid and grid_sample over a batch."""
    count = len(images)

    def run() -> Tensor:
        matrix = torch.eye(2, 3).repeat(count, 1, 1) + 0.1 * torch.randn(count, 2, 3)
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        moved = functional.grid_sample(
            images.float(), grid, padding_mode="reflection", align_corners=False
        )
        return moved.round().to(torch.uint8)

    return run


def ours(images: Tensor, chain: str) -> Callable[[], object]:
    augment = pipeline(parse_chain(chain))
    labels, generator = torch.eye(len(images)), torch.Generator().manual_seed(0)
    return lambda: augment(images, labels, generator)


def fed(pixels: NDArray[np.uint8]) -> Callable[[], object]:
    """Return a run that asks a feed for one more batch: order, rows, labels and the affine four."""
    many = np.tile(pixels, (50, 1, 1, 1))
    labels, rows = np.zeros(len(many), np.int64), np.arange(len(many))
    augment = pipeline(parse_chain(CHAINS["affine four"]))
    form = {"classes": 100, "batch_size": len(pixels), "seed": 0}
    feed = Feed(many, labels, rows, **form, augment=augment, prefetch=0)
    batches = (batch for epoch in range(10**6) for batch in feed.epoch(epoch))
    return lambda: next(batches)


def seconds(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time the candidates in turns; each turn is long enough for the clock."""
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    for _ in range(rounds):
        for name, run in candidates.items():
            began, times = time.perf_counter(), 0
            while times < 1 or time.perf_counter() - began < 0.02:
                run()
                times += 1
            taken[name].append((time.perf_counter() - began) / times)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (("threads", 2), ("batch", 128), ("size", 32), ("rounds", 15)):
        parser.add_argument(f"--{option}", type=int, default=default)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shape = (asked.batch, asked.size, asked.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    pillow = dict(zip(CHAINS, (pillow_crop, pillow_affine, pillow_trivial), strict=True))
    candidates: dict[str, Callable[[], object]] = {
        **{name: ours(images, chain) for name, chain in CHAINS.items()},
        "affine four, through the feed": fed(pixels),
        "affine four, by grid_sample": whole_batch(images),
        **{f"{name}, by Pillow": image_by_image(pixels, f) for name, f in pillow.items()},
    }
    taken = seconds(candidates, asked.rounds)
    rates = {name: asked.batch / statistics.median(s) for name, s in taken.items()}
    ratios = {
        f"{name} / {other}": statistics.median(
            b / a for a, b in zip(taken[name], taken[f"{name}, by {other}"], strict=True)
        )
        for name in CHAINS
        for other in ("grid_sample", "Pillow")
        if f"{name}, by {other}" in taken
    }
    report(vars(asked), rates, ratios)


def report(asked: dict[str, int], rates: dict[str, float], ratios: dict[str, float]) -> None:
    lines = [f"{name:<32}{rate:>10,.0f} images/s" for name, rate in rates.items()]
    lines += [f"{name:<32}{ratio:>10.1f} times" for name, ratio in ratios.items()]
    known = {"torch": torch.__version__, "processors": os.cpu_count(), "load": os.getloadavg()[0]}
    rounded = {name: round(rate) for name, rate in rates.items()}
    near = {name: round(ratio, 2) for name, ratio in ratios.items()}
    lines.append(json.dumps({**asked, **known, "images_per_second": rounded, "ratios": near}))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
