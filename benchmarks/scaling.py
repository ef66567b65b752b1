"""What doubling the epochs or the training images brings: accuracy and time, point by point.

    python benchmarks/scaling.py speed-75 --vary epochs --first 4 --points 4 --data-dir DIR
    python benchmarks/scaling.py resnet-20 --vary limit --first 5000 --points 4 --data-dir DIR

Every point is trained with each seed on the same schedule, stretched to its length; the
accuracy is on validation images (a tenth is kept back where the recipe keeps none), and the
gain is that over the point before, seed by seed. For long runs on a quiet machine: runs that
lie finished in `--out` are read, not trained again.
"""

import argparse
from pathlib import Path

import _common
import _runs
from _common import Facts
from _ours import recipes, wording

CUT = 0.1  # for validation, where a recipe trains on all images


def points(first: int, count: int) -> list[int]:
    """Return `first` doubled again and again."""
    return [first * 2**step for step in range(count)]


def trained(point: int, options: argparse.Namespace) -> list[Facts]:
    """Train a point's seeds, or read those that are finished."""
    changes = [*options.set, f"{options.vary}={point}"]
    if not recipes.load(options.recipe).validation:
        changes.append(f"validation={CUT}")
    given = [text for change in changes for text in ("--set", change)]
    given += ["--data-dir", options.data_dir] if options.data_dir else []
    given += ["--threads", str(options.threads)]
    stem = f"{Path(options.recipe).stem}-{options.vary}-{point}"
    return [
        _runs.train(options.out, f"{stem}-seed-{seed}", options.recipe, "--seed", str(seed), *given)
        for seed in range(options.seeds)
    ]


def rows(trainings: dict[int, list[Facts]]) -> list[Facts]:
    """Return accuracy, time, and the gain over the point before, for each point."""
    found: list[Facts] = []
    before: list[Facts] = []
    for point, runs in trainings.items():
        pairs = zip(runs, before, strict=True) if before else ()
        found.append(
            {
                "point": point,
                "validation": _runs.mean([run["validation"] for run in runs]),
                "seconds": _runs.mean([run["seconds"] for run in runs]),
                "gain": _runs.mean([new["validation"] - old["validation"] for new, old in pairs]),
                "runs": runs,
            }
        )
        before = runs
    return found


def cells(row: Facts) -> list[str]:
    taken = wording.seconds(row["seconds"]["value"])
    return [str(row["point"]), _runs.worded(row["validation"]), _runs.worded(row["gain"]), taken]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--vary", choices=("epochs", "limit"), default="epochs")
    parser.add_argument("--first", type=int, default=4)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="change the recipe")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/scaling"))
    options = parser.parse_args()
    found = rows({p: trained(p, options) for p in points(options.first, options.points)})
    head = [options.vary, "validation top-1", "gain", "seconds"]
    facts = {"recipe": options.recipe, "set": options.set, "vary": options.vary, "rows": found}
    facts |= {"n": options.seeds, "precision": "auto", "threads": options.threads}
    _common.report("scaling", [head, *map(cells, found)], facts, options.record)


if __name__ == "__main__":
    main()
