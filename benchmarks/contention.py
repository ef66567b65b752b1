"""What a competing process costs a training step: quiet against beside one that spins.

    python benchmarks/contention.py [--model simple_cnn] [--wait ours --wait default]

One and two threads, each quiet and beside one Python that spins on one core, the blocks
interleaved. The cost is the rate of the quiet block over that of the busy one that follows. How the
OpenMP threads wait is a column of its own: as the command line lets them ("ours"), as the library
does it ("default"), blocked at once ("passive": OMP_WAIT_POLICY=passive), or after so many spins
("1000": GOMP_SPINCOUNT=1000). "--model speednet" is the step of speed-75.
The aim is a cost of at most 2.5.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import _common
import _ours
from _common import Facts, Side
from _ours import Recipe, machine, recipes

AIM = 2.5
SPIN = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
print(flush=True)
while True: pass
"""


@contextmanager
def competing_process(core: int) -> Iterator[None]:
    """Keep one core busy with a Python that spins."""
    command = [sys.executable, "-c", SPIN, str(core)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as spinning:
        try:
            assert spinning.stdout is not None
            spinning.stdout.readline()  # from here on it spins
            yield
        finally:
            spinning.kill()


def last_core() -> int:
    """Return the last core that this process may use."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def environment(wait: str) -> dict[str, str]:
    """Return the variables for a way of waiting. Raises ValueError for an unknown one."""
    if wait == "default":
        return {}
    if wait == "ours":
        return machine.WAITING
    if wait in ("passive", "active"):
        return {"OMP_WAIT_POLICY": wait}
    return {"GOMP_SPINCOUNT": str(int(wait))}


def trained(options: argparse.Namespace) -> Recipe:
    """Return the recipe whose step is measured."""
    other = Recipe(model=options.model, batch_size=options.batch)
    speed = options.model == "speednet"
    recipe = recipes.load("speed-75") if speed else other
    return recipe.override({}, options.set)


def measure(threads: int, wait: str, options: argparse.Namespace) -> Facts:
    """Return images a second of quiet and busy blocks, and what the process costs."""
    recipe = trained(options)
    given = (recipe, _ours.PIXELS, options.precision, False, False, options.sequential)
    side = Side(_ours.work, given, threads, environment(wait))
    quiet: list[float] = []
    busy: list[float] = []
    with _common.workers({f"{threads} threads, {wait}": side}) as started:
        [worker] = started.values()
        for _ in range(options.blocks):
            quiet.append(worker.rate(options.seconds))
            with competing_process(options.core):
                busy.append(worker.rate(options.seconds))
    cost = _common.ratio(quiet, busy)
    return {
        "threads": threads,
        "wait": wait,
        "quiet_images_per_second": median(quiet),
        "busy_images_per_second": median(busy),
        "cost": cost,
        "reached": cost["value"] <= AIM,
        "blocks": {"quiet": quiet, "busy": busy},
    }


def cells(row: Facts) -> list[str]:
    rates = (row[f"{kind}_images_per_second"] for kind in ("quiet", "busy"))
    cost = row["cost"]
    spread = f"{cost['low']:.2f}-{cost['high']:.2f}"
    head = f"{row['threads']} threads, {row['wait']}"
    return [head, *(f"{rate:,.0f}" for rate in rates), f"{cost['value']:.2f}", spread]


def main() -> None:
    parser = _common.parser(__doc__, seconds=2.0)
    parser.add_argument("--model", default="simple_cnn")
    parser.add_argument("--batch", type=int, default=128, help="but for speednet's")
    parser.add_argument("--set", action="append", default=[], help="change the recipe")
    parser.add_argument("--sequential", action="store_true", help="micro-batches sequentially")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument(
        "--wait", action="append", default=[], help="ours, default, passive, number"
    )
    parser.add_argument("--core", type=int, default=last_core(), help="of the competing process")
    options = parser.parse_args()
    rows = [
        measure(threads, wait, options)
        for threads in sorted({1, options.threads})
        for wait in options.wait or ["ours"]
    ]
    peak = {
        threads: max(_common.interleaved_processes(
            {"gemm": Side(_common.gemm, (options.precision, options.gemm), threads)},
            2, options.seconds,
        )["gemm"])
        for threads in sorted({1, options.threads})
    }  # fmt: skip
    recipe = trained(options)
    macs = _ours.macs(recipe, _ours.PIXELS)
    for row in rows:
        share = _common.share_of_peak(macs, row["blocks"]["quiet"], [peak[row["threads"]]])
        row["share_of_gemm_peak"] = share
    table = [["images a second", "quiet", "busy", "cost", "range"], *(map(cells, rows))]
    facts = {"model": options.model, "precision": options.precision, "batch": recipe.batch_size}
    facts |= {"micro_batch": recipe.micro_batch, "sequential": options.sequential}
    facts |= {"n": options.blocks, "threads": options.threads}
    _common.report("contention", table, facts | {"aim": AIM, "rows": rows}, options.record)


if __name__ == "__main__":
    main()
