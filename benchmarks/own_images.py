"""What `--budget` reaches on folders of images, beside a head alone, from scratch, and a ResNet-9.

    python benchmarks/own_images.py --data photos/grocery [--data ...] [--budget 60s] [--seeds 3]

Each side has the same seconds on the same validation images; the sides are interleaved, seed by
seed. "head alone" is features of EfficientNet-Lite0 with the better of two
probes, which ends when it is fitted. The peer is _resnet9.py. Every run has an empty cache:
decoding counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _common
import _runs
from _common import Facts
from _ours import parse_duration

SIDES = {
    "budget": [],
    "head alone": ["--weights", "imagenet", "--strategy", "linear_probe(head='best')"],
    "from scratch": ["--weights", "none"],
}
PEER, PEER_SIZE = "ResNet-9", 64


def ours(side: str, folder: Path, seed: int, options: argparse.Namespace) -> Facts:
    """Train a side and return its accuracy and its time."""
    name = f"{folder.name}-{side.replace(' ', '-')}-{options.budget}-{seed}"
    given = ["--data", str(folder), "--budget", options.budget, "--seed", str(seed), *SIDES[side]]
    return _runs.train(options.out, name, *given, "--threads", str(options.threads))


def peer(folder: Path, seed: int, options: argparse.Namespace) -> Facts:
    """Train the ResNet-9 in a process of its own."""
    seconds = round(parse_duration(options.budget))
    command = [sys.executable, str(Path(__file__).with_name("_resnet9.py"))]
    command += [str(folder), str(PEER_SIZE), str(seconds), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: Facts = json.loads(done.stdout)
    return {"seed": seed, "validation": found["validation"], "wall_seconds": found["seconds"]}


def measured(folder: Path, options: argparse.Namespace) -> list[Facts]:
    """Return a row for each side of a data set."""
    runs: dict[str, list[Facts]] = {side: [] for side in [*SIDES, PEER]}
    for seed in range(options.seeds):
        for side in runs:
            with tempfile.TemporaryDirectory() as cache:
                os.environ["HUNDREDFOLD_CACHE"] = cache
                found = (
                    peer(folder, seed, options)
                    if side == PEER
                    else ours(side, folder, seed, options)
                )
            runs[side].append(found)
            line = f"{folder.name} {side} {seed}: {found['validation']}"
            sys.stderr.write(f"{line}, {found['wall_seconds']:.1f} s\n")
    return [row(folder.name, side, found, options.budget) for side, found in runs.items()]


def row(name: str, side: str, runs: list[Facts], budget: str) -> Facts:
    wall = [run["wall_seconds"] for run in runs]
    over = max(wall) / parse_duration(budget)
    return {
        "data": name, "side": side, "budget": budget,
        "validation": _runs.mean([run["validation"] for run in runs]),
        "longest_seconds": max(wall), "of_budget": over, "runs": runs,
    }  # fmt: skip


def cells(found: Facts) -> list[str]:
    score = _runs.worded(found["validation"])
    return [found["data"], found["side"], score, f"{found['longest_seconds']:.1f} s"]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--data", action="append", type=Path, required=True)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/own-images"))
    options = parser.parse_args()
    rows = [line for folder in options.data for line in measured(folder, options)]
    head = ["images", "side", "validation top-1", "longest"]
    facts = {"n": options.seeds, "rows": rows, "threads": options.threads, "precision": "auto"}
    _common.report("own-images", [head, *map(cells, rows)], facts, options.record)


if __name__ == "__main__":
    main()
