"""The accuracy of `hundredfold train --budget` at several budgets, and how well it keeps them.

    python benchmarks/budget.py --data-dir DIR [--budget 1m --budget 5m] [--seeds 3] [--test]

Each training is the command as a user gives it, timed from outside; over is that time over
the budget, less one, and is to stay within 5 % either way. Accuracies are those of the
validation images that a run keeps back; the test split stays closed without `--test`.
Runs that lie finished in `--out` are read, not trained again.
"""

import argparse
from pathlib import Path
from statistics import median

import _common
import _runs
from _common import Facts
from _ours import parse_duration

WITHIN = 0.05


def row(budget: str, runs: list[Facts]) -> Facts:
    """Return accuracies and times of a budget's runs, and whether all of them kept it."""
    over = [run["wall_seconds"] / parse_duration(budget) - 1 for run in runs]
    return {
        "budget": budget,
        "validation": _runs.mean([run["validation"] for run in runs]),
        "test": _runs.mean([run["test"] for run in runs]),
        "over": {"value": median(over), "low": min(over), "high": max(over)},
        "kept": all(abs(share) <= WITHIN for share in over),
        "runs": runs,
    }


def trained(budget: str, options: argparse.Namespace) -> list[Facts]:
    """Train a budget's seeds, or read those that are finished."""
    place = ["--data-dir", options.data_dir] if options.data_dir else []
    found = []
    for seed in range(options.seeds):
        name = f"{options.data}-{budget}-seed-{seed}"
        given = ["--data", options.data, "--budget", budget, "--seed", str(seed), *place]
        made = _runs.train(options.out, name, *given, "--threads", str(options.threads))
        if options.test:
            made["test"] = _runs.evaluate_on_test(options.out / name, *place)
        found.append(made)
    return found


def cells(found: Facts) -> list[str]:
    over = (f"{found['over'][key]:+.1%}" for key in ("value", "low", "high"))
    scores = (_runs.worded(found[split]) for split in ("validation", "test"))
    return [found["budget"], *scores, *over, "yes" if found["kept"] else "no"]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--data", default="cifar100")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--budget", action="append", default=[], help="default: 1m, 5m, 15m, 60m")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--test", action="store_true", help="score the test split as well")
    parser.add_argument("--out", type=Path, default=Path("runs/budget"))
    options = parser.parse_args()
    budgets = options.budget or ["1m", "5m", "15m", "60m"]
    for budget in budgets:
        parse_duration(budget)  # before hours are spent
    rows = [row(budget, trained(budget, options)) for budget in budgets]
    head = ["budget", "validation top-1", "test top-1", "over", "least", "most", "kept"]
    facts = {"data": options.data, "n": options.seeds, "within": WITHIN, "rows": rows}
    facts |= {"precision": "auto", "threads": options.threads}
    _common.report("budget", [head, *map(cells, rows)], facts, options.record)


if __name__ == "__main__":
    main()
