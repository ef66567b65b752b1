"""The time to 75 % on CIFAR-100 against ResNet-18's 200 epochs and the same recipe written plainly.

    python benchmarks/time_to_75.py runs/speed-75-seed-0 runs/speed-75-seed-1 ...
    python benchmarks/time_to_75.py --train 5 --data-dir DIR [--test]

Seconds and accuracies are those of finished runs, or of `--train` so many seeds now; a test
accuracy is one that `hundredfold evaluate` has left in the run, or that `--test` looks at.
What would take days is projected from steps measured in this run, interleaved: ResNet-18 (plain
eager PyTorch, fp32, batch 128, 200 epochs), the recipe in plain PyTorch, and the recipe's own
steps, at every size it trains on, so that both ratios have blocks of the same minutes behind
them. Compute is 6 times the multiply-accumulates of a forward pass, image by image at
its size, and Muon's matrix products.
"""

import argparse
from collections import Counter
from pathlib import Path
from statistics import fmean, median

import _common
import _ours
import _plain
import _runs
from _common import Facts, Side
from _ours import Recipe, models, recipes, wording

EPOCHS = 200  # of ResNet-18, as the public repository trains it
LARGE = Recipe(
    model='resnet(depth=18, stem="cifar")', batch_size=128, epochs=EPOCHS,
    optimizer="sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)",
)  # fmt: skip


def steps_of(recipe: Recipe, images: int) -> int:
    """Return the steps of a recipe with so many images in an epoch."""
    return max(1, round(recipe.epochs * (images // recipe.batch_size)))


def images_by_size(recipe: Recipe, images: int) -> dict[int, int]:
    """Count the images that a recipe trains on at each size, with so many in an epoch."""
    resolution = recipe.resolution.resolve()
    steps = steps_of(recipe, images)
    sizes = Counter(resolution(step / steps, _ours.PIXELS) for step in range(steps))
    return {size: count * recipe.batch_size for size, count in sorted(sizes.items())}


def muon_flops(recipe: Recipe, images: int) -> int:
    """Count the operations of Muon's matrix products in all of a recipe's updates.

    A bank of filters is a matrix of r rows and c columns, r being the fewer. It takes part in
    two products, the first and the last; between them n iterations take 4 n - 3 of r x r by
    r x r (see `optim/_muon.py`). 0 for another optimizer.
    """
    optimizer = recipe.optimizer
    if optimizer.name != "muon":
        return 0
    model = models.outline(recipe.model, classes=_ours.CLASSES, size=_ours.PIXELS)
    banks = [p for p in model.parameters() if p.requires_grad and p.ndim == 4]
    shapes = [sorted((len(p), p[0].numel())) for p in banks]
    squares = 4 * int(optimizer.options["steps"]) - 3
    macs = sum(2 * r * r * c + squares * r**3 for r, c in shapes)
    return 2 * macs * steps_of(recipe, images)


def pflop(recipe: Recipe, images: int) -> float:
    """Return the operations of a whole training in 10^15."""
    counted = images_by_size(recipe, images)
    products = sum(6 * _ours.macs(recipe, size) * count for size, count in counted.items())
    return (products + muon_flops(recipe, images)) / 1e15


def measure(recipe: Recipe, options: argparse.Namespace) -> dict[int, dict[str, list[float]]]:
    """Return images a second, by size and side, a number a block."""
    threads, precision = options.threads, options.precision
    large = LARGE.override({"batch_size": options.large_batch})
    shared = {
        "resnet-18": Side(_plain.work, (large, _ours.PIXELS, "fp32"), threads),
        "gemm": Side(_common.gemm, (precision, options.gemm), threads),
    }
    found = {}
    for size in images_by_size(recipe, options.images):
        given = (recipe, size, precision)
        sides = {"ours": _ours.side(given, threads)}
        sides |= {"plain": Side(_plain.work, given, threads), **shared}
        found[size] = _common.interleaved_processes(sides, options.blocks, options.seconds)
    return found


def project(
    rates: dict[int, dict[str, list[float]]], counted: dict[int, int], images: int
) -> dict[str, list[float]]:
    """Return the seconds of whole trainings, a number a block.

    counted: images at each size of the recipe; images: in an epoch of ResNet-18, whose rate
    is the mean of those measured beside each size.
    """
    blocks = range(len(next(iter(rates.values()))["ours"]))
    found = {
        side: [sum(n / rates[size][side][k] for size, n in counted.items()) for k in blocks]
        for side in ("ours", "plain")
    }
    large = [fmean(of["resnet-18"][k] for of in rates.values()) for k in blocks]
    return found | {"resnet-18": [EPOCHS * images / rate for rate in large]}


def trainings(options: argparse.Namespace) -> list[Facts]:
    """Return what finished runs say, and what the seeds asked for have left."""
    found = [_runs.read(Path(folder)) for folder in options.runs]
    place = ["--data-dir", options.data_dir] if options.data_dir else []
    sets = [text for change in options.set for text in ("--set", change)]
    for seed in range(options.train):
        name = f"{Path(options.recipe).stem}-seed-{seed}"
        made = _runs.train(
            options.out, name, options.recipe, "--seed", str(seed),
            "--threads", str(options.threads), *place, *sets,
        )  # fmt: skip
        if options.test:
            made["test"] = _runs.evaluate_on_test(options.out / name, *place)
        found.append(made)
    return found


def summary(runs: list[Facts], seconds: dict[str, list[float]]) -> Facts:
    """Return mean seconds and accuracies of the runs, and the ratios of times to them."""
    taken = [run.get("wall_seconds", run["seconds"]) for run in runs]
    found: Facts = {
        "runs": runs,
        "projected_seconds": {side: median(times) for side, times in seconds.items()},
        "ratios_of_steps": {
            side: _common.ratio(seconds[side], seconds["ours"]) for side in ("resnet-18", "plain")
        },
        "blocks": seconds,
    }
    if runs:
        found["seconds"] = _runs.mean(taken)
        found |= {s: _runs.mean([run[s] for run in runs]) for s in ("validation", "test")}
        found["ratios_of_runs"] = {
            side: median(seconds[side]) / fmean(taken) for side in ("resnet-18", "plain")
        }
    return found


def cells(found: Facts) -> list[list[str]]:
    """Return the table: a row a training, with its times, its compute, and the ratios."""
    rows = [["to 75 %", "seconds", "slower", "least", "most", "PFLOP", "images"]]
    for side in ("ours", "plain", "resnet-18"):
        ratio = found["ratios_of_steps"].get(side)
        times = [f"{ratio[key]:.2f}" for key in ("value", "low", "high")] if ratio else ["-"] * 3
        projected = wording.seconds(found["projected_seconds"][side])
        compute = found["pflop"].get(side)  # the peer's is ours, but for its Muon's products
        work = f"{compute:.4g}" if compute else "-", f"{found['images'][side]:,}"
        rows.append([f"{side}, projected", projected, *times, *work])
    if found["runs"]:
        taken = wording.seconds(found["seconds"]["value"])
        rows.append([f"ours, {found['seconds']['n']} runs", taken, *["-"] * 5])
        for split in ("validation", "test"):
            rows.append([split, _runs.worded(found[split], 2), *["-"] * 5])
    return rows


def main() -> None:
    parser = _common.parser(__doc__)
    parser.add_argument("runs", nargs="*", help="folders of finished runs of the recipe")
    parser.add_argument("--recipe", default="speed-75")
    parser.add_argument("--set", action="append", default=[], help="change the recipe")
    parser.add_argument("--images", type=int, default=50_000, help="in an epoch")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default=_common.precisions()[-1])
    parser.add_argument("--large-batch", type=int, default=128, help="of ResNet-18")
    parser.add_argument("--train", type=int, default=0, help="so many seeds, now")
    parser.add_argument("--test", action="store_true", help="score the test split after that")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--out", type=Path, default=Path("runs/time-to-75"))
    options = parser.parse_args()
    recipe = recipes.load(options.recipe).override({}, options.set)
    counted, images = images_by_size(recipe, options.images), options.images
    runs = trainings(options)
    rates = measure(recipe, options)
    found = summary(runs, project(rates, counted, images))
    found |= {"n": options.blocks, "threads": options.threads, "precision": options.precision}
    found |= {"recipe": options.recipe, "set": options.set, "images_by_size": counted}
    found["pflop"] = {"ours": pflop(recipe, images), "resnet-18": pflop(LARGE, images)}
    found["images"] = dict.fromkeys(("ours", "plain"), sum(counted.values()))
    found["images"]["resnet-18"] = EPOCHS * images
    found["share_of_gemm_peak"] = {
        size: _common.share_of_peak(_ours.macs(recipe, size), of["ours"], of["gemm"])
        for size, of in rates.items()
    }
    _common.report("time_to_75", cells(found), found, options.record)


if __name__ == "__main__":
    main()
