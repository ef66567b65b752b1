"""Overhead of a cluster: send runs that do nothing, and say how many a second come back.

python benchmarks/scheduling.py local 10 100 1000
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from hundredfold.executors import Job, Ray

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


def measure(cluster: str, count: int, out: Path) -> str:
    """Return a line on a number of runs that do nothing."""
    jobs = {number: Job(out / f"run-{number}") for number in range(count)}
    executor = Ray(cluster, program=("-S", "-c", _NOTHING))
    began, times = time.perf_counter(), []
    for number, outcome in executor.outcomes(jobs, lambda _: ()):
        if outcome.code:
            raise SystemExit(f"run {number}: {outcome.reason}")
        times.append(time.perf_counter() - began)
    rate = (count - 1) / (times[-1] - times[0]) if count > 1 else 0.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{count:6,} runs: {times[-1]:.1f} s, the first after {times[0]:.1f} s, "
        f"then {rate:.1f} a second; driver {memory:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cluster", help="local, auto or HOST:PORT")
    parser.add_argument("counts", nargs="+", type=int)
    options = parser.parse_args()
    for count in options.counts:
        with tempfile.TemporaryDirectory() as out:
            sys.stdout.write(measure(options.cluster, count, Path(out)) + "\n")


if __name__ == "__main__":
    main()
