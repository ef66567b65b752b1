"""From half of the classes to the other half: transfer from a run of our own, against scratch.

    python benchmarks/transfer.py --data-dir DIR --seeds 3

One network learns the first half of a data set's classes on all their training images, without
label smoothing, which makes features that transfer less (Kornblith et al. 2021,
arXiv:2010.16402). Each seed then draws a few images of every class of the other half to train
on, and others to be scored on; all of them training images, so the data set's own test split
stays closed. Trained on the few: the same network from scratch; a head on the first network's
frozen features; and that network fine-tuned by the recipe `speednet-finetuned`. Gains are over
scratch, seed by seed. Runs that lie finished in `--out` are read, not trained again.
"""

import argparse
from pathlib import Path

import _common
import _runs
import numpy as np
from _common import Facts
from _ours import Source, Split, data
from numpy.typing import NDArray
from PIL import Image

Rows = NDArray[np.int64]

FROZEN = ["--strategy", "linear_probe(head='logistic')", "--augment", "none",
          "--optimizer", "adam(lr=0.0003)", "--epochs", "10", "--patience", "3"]  # fmt: skip


def drawn(labels: Rows, classes: range, counts: dict[str, int], seed: int) -> dict[str, Rows]:
    """Return rows of each part: so many images of every class, no image in two parts."""
    chance = np.random.default_rng(seed)
    found: dict[str, list[Rows]] = {part: [] for part in counts}
    for label in classes:
        rows, start = chance.permutation(np.flatnonzero(labels == label)), 0
        for part, count in counts.items():
            found[part].append(rows[start : start + count])
            start += count
    return {part: np.concatenate(some) for part, some in found.items()}


def write(folder: Path, split: Split, classes: tuple[str, ...], parts: dict[str, Rows]) -> Path:
    """Write images as a folder of classes, PART/CLASS/ROW.png, unless it is there."""
    if not folder.is_dir():
        aside = folder.with_name(f"{folder.name}.part")
        for part, rows in parts.items():
            for row in rows:
                place = aside / part / classes[split.labels[row]]
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.asarray(split.pixels[row])).save(place / f"{row:05}.png")
        aside.rename(folder)
    return folder


def trained(options: argparse.Namespace) -> dict[str, list[Facts]]:
    """Train the first network, and on the other half what is compared; label -> seeds' runs."""
    source = Source(folder=Path(options.data_dir)) if options.data_dir else Source()
    found = data.load(options.data, source)
    split, half = found.parts["train"](), len(found.classes) // 2
    everything = {"train": np.flatnonzero(split.labels < half)}
    first = write(options.out / "first-half", split, found.classes, everything)
    given = ["--threads", str(options.threads)]
    same = ["speed-75", "--model", options.network]
    _runs.train(options.out, "first", *same, *given, "--data", str(first), "--seed", "0",
                "--batch-size", str(options.first_batch), "--set", "micro_batch=0",
                "--set", f"epochs={options.first_epochs}", "--set", "validation=0.04",
                "--loss", "cross_entropy")  # fmt: skip
    known = str(options.out / "first")
    runs: dict[str, list[Facts]] = {"scratch": [], "frozen": [], "fine-tuned": []}
    for seed in range(options.seeds):
        counts = {"train": options.images, "test": options.scored}
        rows = drawn(split.labels, range(half, len(found.classes)), counts, seed)
        few = write(options.out / f"other-half-{seed}", split, found.classes, rows)
        on = ["--data", str(few), "--seed", str(seed), *given]
        batch = ["--batch-size", str(options.batch), "--set", "micro_batch=0",
                 "--set", "validation=0.1"]  # fmt: skip
        scratch = [*same, *on, *batch, "--set", f"epochs={options.epochs}"]
        transfer = ["--weights", known, *on, *batch]
        tuned = ["speednet-finetuned", *transfer, "--epochs", str(options.tuned_epochs),
                 "--set", f"optimizer.lr={options.tuned_rate}"]  # fmt: skip
        for label, asked in {
            "scratch": scratch,
            "frozen": [*transfer, *FROZEN],
            "fine-tuned": tuned,
        }.items():
            one = _runs.train(options.out, f"{label}-seed-{seed}", *asked)
            one["test"] = one["test"] or _runs.evaluate_on_test(options.out / one["run"])
            runs[label].append(one)
    return runs


def rows(runs: dict[str, list[Facts]]) -> list[Facts]:
    """Return accuracy on the scored images, and the gain over scratch, of each way."""
    scratch = [run["test"] for run in runs["scratch"]]
    return [
        {
            "way": label,
            "top_1": _runs.mean([run["test"] for run in some]),
            "gain": _runs.mean([run["test"] - s for run, s in zip(some, scratch, strict=True)]),
            "seconds": _runs.mean([run["seconds"] for run in some]),
            "runs": some,
        }
        for label, some in runs.items()
    ]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--data", default="cifar100")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--network", default="speednet(width=0.5)")
    parser.add_argument("--first-epochs", type=float, default=20)
    parser.add_argument("--first-batch", type=int, default=512)
    parser.add_argument("--epochs", type=float, default=60, help="from scratch, on the few")
    parser.add_argument("--tuned-epochs", type=int, default=30)
    parser.add_argument("--tuned-rate", type=float, default=0.04, help="of Muon")
    parser.add_argument("--batch", type=int, default=128, help="on the few")
    parser.add_argument("--images", type=int, default=50, help="of a class, to train on")
    parser.add_argument("--scored", type=int, default=100, help="of a class, to be scored on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = rows(trained(options))
    cells = [
        [
            r["way"],
            _runs.worded(r["top_1"]),
            _runs.worded(r["gain"]),
            f"{r['seconds']['value']:.1f}",
        ]
        for r in found
    ]
    head = ["on the other half", "top-1", "gain over scratch", "seconds"]
    facts: Facts = {key: str(value) for key, value in vars(options).items() if key != "record"}
    facts |= {"n": options.seeds, "precision": "auto", "rows": found}
    _common.report("transfer", [head, *cells], facts, options.record)


if __name__ == "__main__":
    main()
