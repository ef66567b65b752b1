"""Overhead of a cluster: runs that do nothing are sent, and how many a second come back.

    python benchmarks/scheduling.py [--count 10 --count 100 --count 1000] [--cluster local]

A bare Python writes a run folder of two files and ends. Scheduling, process start, reports,
packing, the object store and the driver's atomic write are real. Needs the extra `ray`.
"""

import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import _common
from _common import Facts
from _ours import Job, Ray, machine

# Writes a run's folder of two files, without any import that a bare Python has not made.
_NOTHING = """
import os, sys
out, name = (sys.argv[sys.argv.index(flag) + 1] for flag in ("--out", "--name"))
folder = os.path.join(out, name)
os.makedirs(folder)
open(os.path.join(folder, "recipe.toml"), "w").write("epochs = 1")
open(os.path.join(folder, "run.json"), "w").write('{"status": "done", "data": {}}')
print("{}")
"""


def measured(cluster: str, count: int, out: Path) -> Facts:
    """Return what a number of runs that do nothing takes. rate: a second, after the first."""
    jobs = {number: Job(out / f"run-{number}") for number in range(count)}
    executor = Ray(cluster, program=("-S", "-c", _NOTHING))
    began, times = time.perf_counter(), []
    for number, outcome in executor.outcomes(jobs, lambda _: ()):
        if outcome.code:
            raise SystemExit(f"run {number}: {outcome.reason}")
        times.append(time.perf_counter() - began)
    return {
        "runs": count,
        "seconds": times[-1],
        "first": times[0],
        "rate": (count - 1) / (times[-1] - times[0]),
        "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def cells(row: Facts) -> list[str]:
    times = [f"{row['seconds']:.1f} s", f"{row['first']:.1f} s", f"{row['rate']:.1f}"]
    return [f"{row['runs']:,}", *times, f"{row['memory'] / 1e6:.0f} MB"]


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--cluster", default="local", help="local, auto or HOST:PORT")
    parser.add_argument("--count", action="append", type=int, help="10, 100 and 1,000 by default")
    options = parser.parse_args()
    rows = []
    for count in options.count or (10, 100, 1000):
        with tempfile.TemporaryDirectory() as out:
            rows.append(measured(options.cluster, count, Path(out)))
    head = ["runs", "in all", "first result", "a second after it", "driver's memory"]
    facts = {"n": 1, "ray": version("ray"), "cluster": options.cluster, "threads": machine.cores()}
    facts |= {"precision": "none", "rows": rows}
    _common.report("scheduling", [head, *map(cells, rows)], facts, options.record)


if __name__ == "__main__":
    main()
