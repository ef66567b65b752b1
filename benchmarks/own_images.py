"""What `--budget` reaches on folders of images, beside a head alone, from scratch, and a ResNet-9.

    python benchmarks/own_images.py --data photos/grocery [--data ...] [--budget 60s] [--seeds 3]
        [--fastai PYTHON]

Each side has the same seconds on the same validation images; the sides are interleaved, seed by
seed. "head alone" is features of EfficientNet-Lite0 with the better of two probes, which ends when
it is fitted. The peers are _resnet9.py and, with the Python of an environment that has fastai and
timm, _fastai_peer.py. Every run has an empty cache: decoding counts.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _common
import _runs
from _common import Facts
from _ours import Source, data, machine, parse_duration

SIDES = {
    "budget": [],
    "head alone": ["--weights", "imagenet", "--strategy", "linear_probe(head='best')"],
    "from scratch": ["--weights", "none"],
}
RESNET9, FASTAI = "ResNet-9", "fastai"
PEER_SIZE = {RESNET9: 64, FASTAI: 128}  # pixels
_HELD = 0.2  # of the images, where there is no validation part: as a budget holds out


def ours(side: str, folder: Path, seed: int, options: argparse.Namespace) -> Facts:
    """Train a side and return its accuracy and its time."""
    name = f"{folder.name}-{side.replace(' ', '-')}-{options.budget}-{seed}"
    given = ["--data", str(folder), "--budget", options.budget, "--seed", str(seed), *SIDES[side]]
    return _runs.train(options.out, name, *given, "--threads", str(options.threads))


def peer(side: str, folder: Path, seed: int, options: argparse.Namespace) -> Facts:
    """Train a peer in a process of its own."""
    seconds = str(round(parse_duration(options.budget)))
    size, script = str(PEER_SIZE[side]), Path(__file__).parent
    if side == RESNET9:
        command = [sys.executable, str(script / "_resnet9.py"), str(folder)]
    else:
        table = Path(os.environ["HUNDREDFOLD_CACHE"]) / "table.csv"
        write_table(table, folder, seed)
        command = [options.fastai, str(script / "_fastai_peer.py"), str(table)]
    command += [size, seconds, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: Facts = json.loads(done.stdout.splitlines()[-1])
    return {"seed": seed, "validation": found["validation"], "wall_seconds": found["seconds"]}


def write_table(table: Path, folder: Path, seed: int) -> None:
    """Write the files of a data set with their labels, and which are held out with a seed."""
    dataset = data.load("image_folder(size=32)", Source(folder=folder))
    train, held = data.training(dataset, share=_HELD, seed=seed)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "held"])
        for part, name, is_held in ((train, "train", 0), (held, "validation", 1)):
            labels = [dataset.classes[label] for label in part.labels[part.indices]]
            for image, label in zip(part.files(name), labels, strict=True):
                writer.writerow([folder.resolve() / image, label, is_held])


def measured(folder: Path, options: argparse.Namespace) -> list[Facts]:
    """Return a row for each side of a data set."""
    peers = [RESNET9, *([FASTAI] if options.fastai else [])]
    runs: dict[str, list[Facts]] = {side: [] for side in [*SIDES, *peers]}
    for seed in range(options.seeds):
        for side in runs:
            with tempfile.TemporaryDirectory() as cache:
                os.environ["HUNDREDFOLD_CACHE"] = cache
                train = ours if side in SIDES else peer
                found = train(side, folder, seed, options)
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
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--fastai", help="Python of an environment with fastai and timm")
    parser.add_argument("--out", type=Path, default=Path("runs/own-images"))
    options = parser.parse_args()
    rows = [line for folder in options.data for line in measured(folder, options)]
    head = ["images", "side", "validation top-1", "longest"]
    facts = {"n": options.seeds, "rows": rows, "threads": options.threads, "precision": "auto"}
    _common.report("own-images", [head, *map(cells, rows)], facts, options.record)


if __name__ == "__main__":
    main()
