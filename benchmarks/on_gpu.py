"""The steps of on_gpu.sh, each a process of its own that leaves NAME.json in a folder.

    python benchmarks/on_gpu.py start [OUT] [--toy]      # print the folder of the results
    python benchmarks/on_gpu.py STEP --folder OUT --limit SECONDS
    python benchmarks/on_gpu.py close STEP --folder OUT --code N --seconds N
    python benchmarks/on_gpu.py summary --folder OUT

A step (`_gpu_steps.py`) gives its facts again and again, and what it gave last is kept where it is
stopped. `close` adds what the shell knows: how it ended, its seconds, its log's end.
Statuses: done, failed, timed out, skipped, not supported. Without a CUDA device, or with --toy,
sizes are such that a processor is through in about a minute; such numbers mean nothing.
"""

import argparse
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
Options = argparse.Namespace

REPOSITORY = Path(__file__).resolve().parent.parent
LINES = 15  # of a log
STOPPED = (124, 137)  # exit codes of timeout(1)
STEPS = ("laws", "train", "graph", "speednet", "resnet_18", "wrn_28_10", "budget",
         "two_devices")  # fmt: skip


def start(options: Options) -> None:
    """Make the folder of the results and print it."""
    folder = options.out or os.environ.get("OUT", "")
    if not folder:
        from _gpu_steps import device_name

        device = re.sub(r"\W+", "-", device_name() or "cpu").strip("-").lower()
        folder = REPOSITORY / "benchmarks" / "results" / f"{datetime.now(UTC):%Y-%m-%d}-{device}"
    Path(folder).mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{Path(folder).resolve()}\n")


def carry_out(options: Options) -> None:
    """Carry out a step and write what it gives, whenever it gives more."""
    import _common
    import _gpu_steps
    import torch

    name = _gpu_steps.device_name()
    options.toy = options.toy or not name
    if options.toy:  # the flag is passed on, and what it would take minutes for is left out
        os.environ["TORCHDYNAMO_DISABLE"] = "1"
    same = {"benchmark": "on_gpu", "toy": options.toy, "torch": torch.__version__}
    for facts in _gpu_steps.STEPS[options.step](options):
        _common.write_record(options.folder / f"{options.step}.json", same | facts, name)


def close(options: Options) -> None:
    """Add to a step's JSON how it ended, its seconds and the last lines of its log."""
    path = options.folder / f"{options.out}.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {"name": options.out}
    log = path.with_suffix(".log")
    lines = log.read_text("utf-8", errors="replace").splitlines() if log.is_file() else []
    status = known.get("status", "failed")
    if options.code in STOPPED:
        status = "timed out"
    elif options.code or status == "unfinished":
        status = "failed"
    known |= {"status": status, "exit_code": options.code, "seconds": options.seconds}
    known |= {"limit_seconds": options.limit, "log": lines[-LINES:]}
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"{options.out}: {status}, {options.seconds} s\n")


def summary(options: Options) -> None:
    """Write summary.json: of each step how it ended, and its numbers but for the blocks."""
    left_out = {"blocks", "log", "command", "name", "benchmark", "ways"}
    found = [options.folder / f"{name}.json" for name in STEPS]
    steps = {path.stem: json.loads(path.read_text("utf-8")) for path in found if path.is_file()}
    short = {n: {k: v for k, v in f.items() if k not in left_out} for n, f in steps.items()}
    if "train" in steps:
        ways = steps["train"].get("ways", {})
        short["train"]["ways"] = {
            name: {k: v for k, v in way.items() if k != "runs"} if isinstance(way, dict) else way
            for name, way in ways.items()
        }
    facts = {"name": "summary", "seconds": sum(step["seconds"] for step in steps.values())}
    facts["statuses"] = {name: step["status"] for name, step in steps.items()}
    text = json.dumps(facts | {"steps": short}, indent=1) + "\n"
    (options.folder / "summary.json").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{options.folder / 'summary.json'}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("step", choices=("start", "close", "summary", *STEPS))
    parser.add_argument("out", nargs="?", default="", help="start: the folder; close: the step")
    parser.add_argument("--toy", action="store_true", help="sizes for a processor")
    parser.add_argument("--data-dir", default="", help="where CIFAR-100 lies")
    parser.add_argument("--folder", type=Path, default=Path(), help="of the results")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of the step")
    parser.add_argument("--code", type=int, default=0, help="its exit code")
    parser.add_argument("--seconds", type=float, default=0.0, help="that it took")
    options = parser.parse_intermixed_args()
    others = {"start": start, "close": close, "summary": summary}
    others.get(options.step, carry_out)(options)


if __name__ == "__main__":
    main()
