"""speed-75 with one thing changed a row: what each part is worth in accuracy and in time.

    python benchmarks/ablation.py --data-dir DIR                        # hours
    python benchmarks/ablation.py --data-dir DIR --set epochs=3 --set limit=10000

A tenth of the training images is kept back, and accuracies are on these alone. Every row is
trained with the same seeds, and its difference to the whole recipe is taken seed by seed.
SGD instead of Muon is given several rates, since a rate of Muon's would say nothing. Full
resolution stands twice, with all epochs and with three quarters of them, which take about as
long as the whole recipe.
"Library convolutions" gives the same numbers but for rounding, so its time is what counts.
Runs that lie finished in `--out` are read, not trained again.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import _common
import _runs
from _common import Facts
from _ours import NO_PROBE, recipes, wording

RECIPE, WHOLE = "speed-75", "whole recipe"


class Change(NamedTuple):
    """What a row changes: fields of the recipe, or something done before the command."""

    sets: tuple[str, ...] = ()
    before: str = ""


def changes(rates: list[float], epochs: float) -> dict[str, Change]:
    """Return the rows; rates: learning rates of SGD. epochs: of the whole recipe."""
    fewer = f"epochs={0.75 * epochs:g}"
    found = {
        WHOLE: Change(),
        "no whitening": Change(("model.whiten=False",)),
        "no dirac initialisation": Change(("model.dirac=False",)),
        "full resolution": Change(("resolution=full",)),
        "full resolution, 3/4 of the epochs": Change(("resolution=full", fewer)),
        "library convolutions": Change(before=NO_PROBE),
    }
    return found | {
        f"SGD, rate {rate:g}": Change((f"optimizer=sgd(lr={rate}, momentum=0.9)",))
        for rate in rates
    }


def trained(name: str, change: Change, options: argparse.Namespace) -> list[Facts]:
    """Train a row's seeds, or read those that are finished."""
    sets = (*options.set, *change.sets)  # a row's own last: model=... would undo model.whiten
    given = [text for one in sets for text in ("--set", one)]
    given += ["--set", f"validation={options.validation}", "--threads", str(options.threads)]
    given += ["--data", options.data] if options.data else []
    given += ["--data-dir", options.data_dir] if options.data_dir else []
    stem = name.replace(" ", "-").replace(",", "").replace("/", "-")
    return [
        _runs.train(
            options.out, f"{stem}-seed-{seed}", RECIPE, "--seed", str(seed), *given,
            before=change.before,
        )
        for seed in range(options.seeds)
    ]  # fmt: skip


def row(name: str, runs: list[Facts], whole: list[Facts]) -> Facts:
    """Return a row's accuracy and time, and the differences to the whole recipe."""
    pairs = list(zip(runs, whole, strict=True))
    return {
        "change": name,
        "validation": _runs.mean([run["validation"] for run in runs]),
        "difference": _runs.mean([one["validation"] - all_["validation"] for one, all_ in pairs]),
        "seconds": _runs.mean([run["seconds"] for run in runs]),
        "slower": _common.ratio(*([run["seconds"] for run in of] for of in (runs, whole))),
        "runs": runs,
    }


def cells(found: Facts) -> list[str]:
    difference = "-" if found["change"] == WHOLE else _runs.worded(found["difference"], 2)
    slower = found["slower"]
    return [
        found["change"],
        _runs.worded(found["validation"], 2),
        difference,
        wording.seconds(found["seconds"]["value"]),
        f"{slower['value']:.2f} ({slower['low']:.2f}-{slower['high']:.2f})",
    ]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--only", action="append", default=[], help="a row, beside the whole")
    parser.add_argument("--rate", action="append", type=float, default=[], help="of SGD")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="in every row: epochs=3")
    parser.add_argument("--validation", type=float, default=0.1)
    parser.add_argument("--data", default="")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    options = parser.parse_args()
    whole = recipes.load(RECIPE).override({}, options.set)
    wanted = changes(options.rate or [3, 10], whole.epochs)
    unknown = set(options.only) - set(wanted)
    if unknown:
        parser.error(f"there is no row {sorted(unknown)}; there are {list(wanted)}")
    wanted = {n: c for n, c in wanted.items() if not options.only or n in (WHOLE, *options.only)}
    runs = {name: trained(name, change, options) for name, change in wanted.items()}
    rows = [row(name, found, runs[WHOLE]) for name, found in runs.items()]
    head = [RECIPE, "validation top-1", "difference", "seconds", "slower"]
    facts = {"set": options.set, "n": options.seeds, "validation": options.validation}
    facts |= {"precision": whole.precision, "threads": options.threads}
    _common.report("ablation", [head, *map(cells, rows)], facts | {"rows": rows}, options.record)


if __name__ == "__main__":
    main()
