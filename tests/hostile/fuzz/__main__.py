"""Fuzz the readers of foreign bytes, each in a process of its own, and print a table.

    PYTHONPATH=tests python -m hostile.fuzz [TARGET ...] [--seconds 600] [--keep FOLDER]

Uses atheris (libFuzzer, guided by coverage) where it is installed. Elsewhere sound inputs are
damaged at random. An input that breaks a promise is kept, and is carried out again by
`--again FILE`. The exit code is 1 if there is one.
"""

import argparse
import importlib.util
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[2]
SECONDS, BYTES = 5, 1 << 30  # of one input, at most


def guided(name: str, seconds: int, keep: Path) -> None:
    """Fuzz a target with atheris; ends the process, with 77 or so where a promise was broken."""
    import atheris

    with atheris.instrument_imports(
        include=["hundredfold", "PIL", "tomllib", "csv", "pickletools"]
    ):
        from hostile.fuzz.targets import TARGETS

        target = TARGETS[name]
        seeds = target.seeds()
        for data in seeds[:2]:
            target.act(data)  # which imports what it needs, instrumented
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds):
            Path(corpus, f"{number}").write_bytes(data)
        flags = [f"-max_total_time={seconds}", f"-timeout={SECONDS * 4}", "-rss_limit_mb=3000",
                 f"-max_len={target.longest}", f"-artifact_prefix={keep}/{name}-",
                 "-print_final_stats=1", "-verbosity=1"]  # fmt: skip
        atheris.Setup([name, *flags, corpus], target.act)
        atheris.Fuzz()


def at_random(name: str, seconds: int, keep: Path, seed: int = 0) -> None:
    """Fuzz a target with damaged copies of its sound inputs."""
    from hostile import odd
    from hostile.fuzz.targets import TARGETS

    target, chance = TARGETS[name], random.Random(seed)
    seeds, until, count = target.seeds(), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = chance.choice(seeds)
        for _ in range(chance.randrange(3)):
            data = odd.flipped(data, chance)
        _once(name, data[: target.longest], keep)
        count += 1
    sys.stderr.write(f"stat::number_of_executed_units: {count}\n")


def _once(name: str, data: bytes, keep: Path) -> None:
    from hostile.fuzz.targets import TARGETS

    began, before = time.process_time(), _largest()
    try:
        TARGETS[name].act(data)
        if time.process_time() - began > SECONDS:
            raise TimeoutError(f"{time.process_time() - began:.1f} s")
        if _largest() - before > BYTES:
            raise MemoryError(f"{_largest() - before:,} bytes")
    except BaseException:
        kept = keep / f"{name}-{abs(hash(data)):x}"
        kept.write_bytes(data)
        traceback.print_exc()
        sys.stderr.write(f"kept as {kept}\n")
        raise SystemExit(77) from None


def _largest() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def survey(name: str, seconds: int, keep: Path) -> dict[str, object]:
    """Fuzz a target in a process of its own; return the executions and the finding, if any."""
    paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "HUNDREDFOLD_OFFLINE": "1", "NO_COLOR": "1",
           "OMP_NUM_THREADS": "1", "HUNDREDFOLD_CACHE": str(keep / "cache"),
           "XDG_STATE_HOME": str(keep / "state")}  # fmt: skip
    command = [sys.executable, "-m", "hostile.fuzz", name, "--seconds", str(seconds), "--child",
               "--keep", str(keep)]  # fmt: skip
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True)
    counts = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    said = done.stderr.strip().splitlines()
    words = [line for line in said if re.match(r"[\w.]*(Error|Broken|Exception|SUMMARY)", line)]
    finding = "" if done.returncode == 0 else (words[:1] or said[-1:] or ["?"])[0][:300]
    return {"target": name, "inputs": int(counts[-1]) if counts else 0, "finding": finding}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--again", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.again or options.child:
        (name,) = options.targets
        if options.again:
            _once(name, options.again.read_bytes(), options.keep)
        elif importlib.util.find_spec("atheris"):
            guided(name, options.seconds, options.keep)
        else:
            at_random(name, options.seconds, options.keep)
        return
    from hostile.fuzz.targets import TARGETS

    rows = [survey(name, options.seconds, options.keep) for name in options.targets or TARGETS]
    how = "atheris" if importlib.util.find_spec("atheris") else "damaged at random"
    sys.stdout.write(
        f"| reader | inputs in {options.seconds} s, {how} | finding |\n|---|---|---|\n"
    )
    for row in rows:
        sys.stdout.write(f"| {row['target']} | {row['inputs']:,} | {row['finding'] or 'none'} |\n")
    (options.keep / "fuzz.json").write_text(json.dumps(rows, indent=1))
    sys.exit(any(row["finding"] for row in rows))


if __name__ == "__main__":
    main()
