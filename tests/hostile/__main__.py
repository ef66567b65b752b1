"""Carry out the hostile harnesses and print their table.

    PYTHONPATH=tests python -m hostile [HARNESS ...] [--seed 0] [--workers 2] [--tenth] [--log FILE]

The exit code is 1 if a promise was broken; each is printed under the table.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hostile.promises import KINDS

HARNESSES = ("runs", "weights", "options", "images", "folders", "tables", "machines")
_TESTS = Path(__file__).resolve().parents[1]


def carry_out(
    harness: str, seed: int, part: int, of: int, log: Path | None = None
) -> list[dict[str, Any]]:
    """Carry out a share of a harness in a process of its own; log: a file for what is told."""
    order = json.dumps({"harness": harness, "seed": seed, "part": part, "of": of})
    paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "hostile.worker"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    told = []
    with subprocess.Popen(command, env=environment, **pipes) as worker:
        worker.stdin.write(order + "\n")
        worker.stdin.flush()
        while line := worker.stdout.readline().strip():
            told.append(json.loads(line))
            if log:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"harness": harness} | told[-1]) + "\n")
        worker.stdin.close()
    if worker.returncode:
        raise SystemExit(f"the harness {harness} ended with {worker.returncode}")
    return told


def row(harness: str, told: list[dict[str, Any]]) -> str:
    """Return the line of a harness in the table."""
    counts = [sum(any(k == kind for k, _ in one["faults"]) for one in told) for kind in KINDS]
    return f"| {harness} | {len(told):,} | {' | '.join(map(str, counts))} |"


def findings(harness: str, told: Iterable[dict[str, Any]]) -> list[str]:
    """Return a line for each broken promise."""
    return [
        ascii(f"{harness}: {kind}: {one['name']}: {' '.join(one['argv'])[-200:]}: {words}")
        for one in told
        for kind, words in one["faults"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("harnesses", nargs="*", choices=[[], *HARNESSES], default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tenth", action="store_true")
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    of = 10 if options.tenth else options.workers
    parts = range(1 if options.tenth else options.workers)
    lines = [f"| harness | commands | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 2) + "|"]
    broken = []
    for harness in options.harnesses or HARNESSES:
        with ThreadPoolExecutor() as pool:
            orders = [
                pool.submit(carry_out, harness, options.seed, p, of, options.log) for p in parts
            ]
            told = [one for order in orders for one in order.result()]
        lines.append(row(harness, told))
        broken += findings(harness, told)
    sys.stdout.write("\n".join([*lines, "", *broken, ""]))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
