"""How long commands take to begin: to a training's first step, to the help, to a report.

    python benchmarks/start.py [--recipe simple-cnn] [--data-dir DIR] [--report RUN_OR_STUDY]

Each is a whole process, timed from outside; the median of the rounds is printed, then one
line of JSON. A training is ended right after its first step. Its first round, without the
decoded data or the precision probe in the cache, is given beside the others.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _common
from _ours import FIRST_STEP

COMMAND = [sys.executable, "-m", "hundredfold"]


def seconds(command: list[str]) -> float:
    """Return how long a command takes; raises where it fails."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def first_step(recipe: str, data_dir: str) -> float:
    """Return the seconds from the start of a process to the end of its first step."""
    with tempfile.TemporaryDirectory() as out:
        options = ["train", recipe, "--out", str(Path(out) / "runs")]
        options += ["--data-dir", data_dir] if data_dir else []
        return seconds([sys.executable, "-c", FIRST_STEP, *options])


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--recipe", default="digits")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--report", default="", help="the folder of a run or a study")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds = range(options.rounds)
    first = first_step(options.recipe, options.data_dir)
    found = {
        "first step, first round": first,
        "first step": statistics.median(
            first_step(options.recipe, options.data_dir) for _ in rounds
        ),
        "help": statistics.median(seconds([*COMMAND, "--help"]) for _ in rounds),
    }
    if options.report:
        report = [*COMMAND, "report", options.report]
        found["report"] = statistics.median(seconds(report) for _ in rounds)
    cells = [["", "seconds"], *([what, f"{took:.2f}"] for what, took in found.items())]
    facts = {"recipe": options.recipe, "n": options.rounds, "precision": "auto", "threads": 0}
    _common.report("start", cells, facts | {"seconds": found}, options.record)


if __name__ == "__main__":
    main()
