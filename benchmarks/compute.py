"""What compute buys on CIFAR-100: accuracy against operations, for several widths.

    python benchmarks/compute.py --data-dir DIR --compute 0.02 0.05 0.1 --width 0.25 0.5 1

A point is `speed-75` with a width of its network and as many epochs as so many PFLOP allow. Points
with fewer than 2 or more than 60 epochs are left out. A tenth of the training images is kept back,
and accuracies are on these alone. Operations are counted as in time_to_75.py: three forward passes
for each image at the size it is trained on, and Muon's products.

The frontier is the best width for each compute. The law is a straight line through it:
logit(accuracy) = a + b log(PFLOP). It is fitted without each point in turn, and its error there is
the error on held-out points. Runs that lie finished in `--out` are read, not trained again.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import _common
import _runs
import numpy as np
from _common import Facts
from _ours import Recipe, recipes
from time_to_75 import pflop

RECIPE, IMAGES, KEPT = "speed-75", 45_000, 0.1
EPOCHS = (2.0, 60.0)  # least and most of a point
PUBLISHED = (
    {"what": "ResNet-18, 200 epochs (weiaicunzai/pytorch-cifar100)", "pflop": 33.3, "top_1": 0.756},
)


def changes(width: float, sets: Sequence[str]) -> list[str]:
    """Return what a point changes in the recipe, but for its epochs."""
    return [f"validation={KEPT}", f"model.width={width:g}", *sets]


def point(width: float, compute: float, sets: Sequence[str]) -> Recipe | None:
    """Return the recipe of a point, None where it has too few or too many epochs."""
    recipe = recipes.load(RECIPE).override({}, changes(width, sets))
    epochs = 10.0
    for _ in range(3):  # steps are whole, so compute is not quite linear in epochs
        epochs *= compute / pflop(recipe.override({"epochs": epochs}), IMAGES)
        if not EPOCHS[0] <= epochs <= EPOCHS[1]:
            return None
    return recipe.override({"epochs": round(epochs, 2)})


def trained(recipe: Recipe, width: float, options: argparse.Namespace) -> list[Facts]:
    """Train a point's seeds, or read those that are finished."""
    given = [text for change in changes(width, options.set) for text in ("--set", change)]
    given += ["--epochs", f"{recipe.epochs:g}", "--threads", str(options.threads)]
    given += ["--data-dir", options.data_dir] if options.data_dir else []
    stem = "-".join([f"width-{width:g}-epochs-{recipe.epochs:g}", *options.set]).replace("/", "-")
    return [
        _runs.train(options.out, f"{stem}-seed-{seed}", RECIPE, "--seed", str(seed), *given)
        for seed in range(options.seeds)
    ]


def frontier(rows: list[Facts]) -> list[Facts]:
    """Return the best row for each compute."""
    best: dict[float, Facts] = {}
    for row in rows:
        known = best.get(row["compute"])
        if known is None or row["validation"]["value"] > known["validation"]["value"]:
            best[row["compute"]] = row
    return list(best.values())


def law(rows: list[Facts]) -> Facts | None:
    """Return a and b of the law, and its error on each point that it is fitted without."""
    if len(rows) < 3:
        return None
    x = np.log([row["pflop"] for row in rows])
    accuracy = np.array([row["validation"]["value"] for row in rows])
    y = np.log(accuracy / (1 - accuracy))
    errors = []
    for index in range(len(rows)):
        slope, start = np.polyfit(np.delete(x, index), np.delete(y, index), 1)
        errors.append(1 / (1 + math.exp(-(start + slope * x[index]))) - accuracy[index])
    slope, start = np.polyfit(x, y, 1)
    return {"a": float(start), "b": float(slope), "held_out_errors": [float(e) for e in errors]}


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--compute", type=float, nargs="+", default=[0.02, 0.05, 0.1], help="PFLOP")
    parser.add_argument("--width", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="change the recipe")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/compute"))
    options = parser.parse_args()
    rows = []
    for compute in sorted(options.compute):
        for width in options.width:
            recipe = point(width, compute, options.set)
            if recipe is None:
                continue
            runs = trained(recipe, width, options)
            facts = {"compute": compute, "pflop": pflop(recipe, IMAGES), "width": width}
            facts |= {"epochs": recipe.epochs, "runs": runs}
            rows.append(facts | {"validation": _runs.mean([run["validation"] for run in runs])})
    best = frontier(rows)
    cells = [["PFLOP", "width", "epochs", "validation top-1", "frontier"]]
    cells += [
        [f"{row['pflop']:.3f}", f"{row['width']:g}", f"{row['epochs']:g}",
         _runs.worded(row["validation"]), "yes" if row in best else ""]
        for row in rows
    ]  # fmt: skip
    for row in rows:
        row["frontier"] = row in best
    found = {"recipe": RECIPE, "set": options.set, "rows": rows, "law": law(best)}
    found |= {"published": PUBLISHED, "n": options.seeds, "threads": options.threads}
    _common.report("compute", cells, found | {"precision": "auto"}, options.record)


if __name__ == "__main__":
    main()
