"""How many images a second the augmentations make, beside other ways, in one run.

    python benchmarks/input.py [--threads 2] [--batch 128] [--size 32] [--rounds 15]

The other ways are a torchvision-style pipeline, image by image in Pillow on one core (as one
worker of a data loader has it), `affine_grid` + `grid_sample` on the whole batch as the
PyTorch documentation shows them, and Keras' layers in a process of their own where TensorFlow
is installed. All candidates take turns, so that a busy machine slows them alike; the rate is
that of the median round, a ratio the median of the rounds' ratios with their range. Two
training steps take turns with them, each in its own process: an augmentation's share of a
step's time is to be below 3 %.
"""

import argparse
import importlib.util
import random
import statistics
import time
from collections.abc import Callable

import _common
import _ours
import numpy as np
import torch
from _common import Side, Work
from _ours import Feed, Recipe, pipeline, recipes
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from torch.nn import functional

SPEED = recipes.load("speed-75")
CHAINS = {
    "crop and flip": "pad_crop(pixels=4) | flip",
    "crop and alternating flip": "pad_crop(pixels=4) | alternating_flip",
    "speed-75": str(SPEED.augment),
    "affine four": "flip | shift | zoom | rotate",
    "trivial": "trivial",
}
AIMS = {"crop and flip": 150_000, "affine four": 40_000}  # images a second on two threads
SHARE = 0.03  # of a step's time, at most
STEPS = {"simple_cnn": "affine four", "speednet": "speed-75"}  # model -> its augmentation
KERAS = ("crop and flip", "affine four")


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
    augment = pipeline(chain)
    labels, generator = torch.eye(len(images)), torch.Generator().manual_seed(0)
    return lambda: augment(images, labels, generator)


def fed(pixels: NDArray[np.uint8]) -> Callable[[], object]:
    """Return a run that asks a feed for one more batch: order, rows, labels and the affine four."""
    many = np.tile(pixels, (50, 1, 1, 1))
    labels, rows = np.zeros(len(many), np.int64), np.arange(len(many))
    augment = pipeline(CHAINS["affine four"])
    options = {"classes": 100, "batch_size": len(pixels), "seed": 0}
    feed = Feed(many, labels, rows, **options, augment=augment, prefetch=0)
    batches = (batch for epoch in range(10**6) for batch in feed.epoch(epoch))
    return lambda: next(batches)


def keras(chain: str, batch: int, size: int, threads: int) -> Work:
    """Return Keras' layers for a chain on whole batches, compiled as tf.data would have them."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    layers = tf.keras.layers
    of = {
        "crop and flip": [layers.ZeroPadding2D(4), layers.RandomCrop(size, size)],
        "affine four": [
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomZoom(0.1),
            layers.RandomRotation(15 / 360),
        ],
    }
    model = tf.keras.Sequential([layers.RandomFlip("horizontal"), *of[chain]])
    images = tf.random.uniform((batch, size, size, 3), 0, 256, tf.int32)
    images = tf.cast(images, tf.uint8)
    run = tf.function(lambda given: model(tf.cast(given, tf.float32), training=True))

    def work() -> float:
        run(images).numpy()
        return batch

    return work


def processes(options: argparse.Namespace) -> dict[str, Side]:
    """Return what needs a process of its own: the two steps, and Keras where it is."""
    threads, precision = options.threads, options.precision
    recipes = {
        "simple_cnn": Recipe(model="simple_cnn", batch_size=options.batch),
        "speednet": SPEED.override({}, options.set),
    }
    found = {
        f"step of {name}": _ours.side((recipe, _ours.PIXELS, precision), threads)
        for name, recipe in recipes.items()
    }
    if importlib.util.find_spec("tensorflow"):
        given = (options.batch, options.size, threads)
        found |= {f"{c}, by Keras": Side(keras, (c, *given), threads) for c in KERAS}
    return found


def interleaved(
    candidates: dict[str, Callable[[], object]], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Return images a second, a number a round; each turn is long enough for the clock."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    with _common.workers(processes(options)) as started:
        rates |= {name: [] for name in started}
        for _ in range(options.rounds):
            for name, run in candidates.items():
                began, times = time.perf_counter(), 0
                while times < 1 or time.perf_counter() - began < 0.02:
                    run()
                    times += 1
                rates[name].append(times * options.batch / (time.perf_counter() - began))
            for name, worker in started.items():
                rates[name].append(worker.rate(0.02))
    return rates


def candidates(options: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """Return all that this process times itself."""
    shape = (options.batch, options.size, options.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    pillow = {
        "crop and flip": pillow_crop,
        "affine four": pillow_affine,
        "trivial": pillow_trivial,
    }
    return {
        **{name: ours(images, chain) for name, chain in CHAINS.items()},
        "affine four, through the feed": fed(pixels),
        "affine four, by grid_sample": whole_batch(images),
        **{f"{name}, by Pillow": image_by_image(pixels, f) for name, f in pillow.items()},
    }


def summary(rates: dict[str, list[float]]) -> _common.Facts:
    """Return medians, ratios to the other ways, shares of the steps, and what is reached."""
    speeds = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "images_per_second": speeds,
        "ratios": {
            f"{name} / {other}": _common.ratio(rates[name], rates[f"{name}, by {other}"])
            for name in CHAINS
            for other in ("grid_sample", "Keras", "Pillow")
            if f"{name}, by {other}" in rates
        },
        "share_of_step": {
            f"{chain} of {model}": _common.ratio(rates[f"step of {model}"], rates[chain])
            for model, chain in STEPS.items()
        },
        "reached": {name: speeds[name] >= aim for name, aim in AIMS.items()},
        "blocks": rates,
    }


def cells(found: _common.Facts) -> list[list[str]]:
    rows = [["", "images/s", "times", "least", "most"]]
    rows += [[name, f"{rate:,.0f}", *"---"] for name, rate in found["images_per_second"].items()]
    for name, ratio in found["ratios"].items():
        rows.append([name, "-", *(f"{ratio[key]:.1f}" for key in ("value", "low", "high"))])
    for name, share in found["share_of_step"].items():
        shares = (f"{share[key]:.1%}" for key in ("value", "low", "high"))
        rows.append([f"share of the step: {name}", "-", *shares])
    return rows


def main() -> None:
    parser = _common.base_parser(__doc__)
    for option, default in (("threads", 2), ("batch", 128), ("size", 32), ("rounds", 15)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default=_common.precisions()[-1])
    parser.add_argument("--set", action="append", default=[], help="change speednet's recipe")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = summary(interleaved(candidates(options), options))
    facts = {name: getattr(options, name) for name in ("threads", "batch", "size", "rounds")}
    keras_is = "" if importlib.util.find_spec("tensorflow") else "tensorflow is not installed"
    facts |= {"n": options.rounds, "precision": options.precision, "keras_absent": keras_is}
    facts |= {"aims": AIMS, "share_aim": SHARE}
    _common.report("input", cells(found), facts | found, options.record)


if __name__ == "__main__":
    main()
