"""How many planted wrong labels are among the first of `data check --suspects`.

    python benchmarks/suspects.py --data photos/grocery [--data cifar100 --data-dir DIR]
        [--images 5000] [--seeds 3]

A twentieth of the training labels are replaced by others, drawn by the seed. Counted are those in
the first tenth of the list. Other labels of the set may be wrong too, and count as missed.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import _common
import _runs
import numpy as np
from _common import Facts
from _ours import Source, data, suspects

PLANTED, SHOWN = 0.05, 0.1  # fractions of the images


def planted(found: data.DataSet, images: int, seed: int) -> tuple[data.DataSet, set[str]]:
    """Return the training part with wrong labels, and the names of their images."""
    rng = np.random.default_rng(seed)
    train = found.parts["train"]()
    rows = train.indices
    if images and images < len(rows):
        rows = np.sort(rng.permutation(rows)[:images])
    labels, wrong = np.array(train.labels), rng.permutation(rows)[: round(PLANTED * len(rows))]
    labels[wrong] = (labels[wrong] + rng.integers(1, len(found.classes), len(wrong))) % len(
        found.classes
    )
    split = replace(train, labels=labels, indices=rows)
    names = dict(zip(rows.tolist(), split.files("train"), strict=True))
    return replace(found, parts={"train": lambda: split}), {names[row] for row in wrong.tolist()}


def row(name: str, source: Source, options: argparse.Namespace) -> Facts:
    """Return the fraction of planted labels that was found, seed by seed."""
    text, place = data.locate(name, source)
    if text == "image_folder":
        text = f"image_folder(size={options.size})"
    loaded = data.load(text, place)
    shares = []
    for seed in range(options.seeds):
        changed, wrong = planted(loaded, options.images, seed)
        listed = suspects.suspects(changed, place, options.size)
        first = {suspect.file for suspect in listed[: round(SHOWN * len(listed))]}
        shares.append(len(wrong & first) / len(wrong))
    return {"data": loaded.name, "images": len(listed), "size": options.size,
            "found": _runs.mean(shares), "seeds": shares}  # fmt: skip


def cells(found: Facts) -> list[str]:
    each = ", ".join(f"{share:.0%}" for share in found["seeds"])
    return [found["data"], f"{found['images']:,}", _runs.worded(found["found"]), each]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--images", type=int, default=0, help="at most so many; 0 is all")
    parser.add_argument("--size", type=int, default=128, help="pixels that the network sees")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    source = Source(folder=options.data_dir) if options.data_dir else Source()
    rows = [row(name, source, options) for name in options.data]
    head = ["images of", "number", "found", "seed by seed"]
    facts = {"n": options.seeds, "planted": PLANTED, "shown": SHOWN, "rows": rows}
    _common.report("suspects", [head, *map(cells, rows)], facts, options.record)


if __name__ == "__main__":
    main()
