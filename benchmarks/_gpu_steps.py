"""What on_gpu.py carries out: each step gives its facts again and again, each time more of them.

A step gets `toy`, `limit` (seconds) and `data_dir`. The last facts have a status: done, failed,
skipped or not supported, the last two with a reason.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _common
import _ours
import _plain
import _runs
import devices
import time_to_75
import torch
from _common import Facts
from _ours import Recipe, recipes

Options = argparse.Namespace

REPOSITORY = Path(__file__).resolve().parent.parent
WARM = 2  # pieces before the first block
SPARE = 15.0  # seconds of a step's limit that its trainings leave: it has started, it has to end
SGD = "sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)"
MODELS = {"resnet_18": 'resnet(depth=18, stem="cifar")', "wrn_28_10": "wrn(depth=28, width=10)"}
TOY_MODELS = {"resnet_18": "resnet(depth=20)", "wrn_28_10": "wrn(depth=10, width=1)"}
TOY = ("data=shapes(classes=4, images=20)", "model.width=0.125", "batch_size=8", "micro_batch=4",
       "epochs=1")  # fmt: skip


def device_name() -> str:
    """Return the GPU's name, or nothing where there is no CUDA device."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def laws(_: Options) -> Iterator[Facts]:
    """Carry out the tests that need a GPU."""
    if importlib.util.find_spec("pytest") is None:
        yield {"status": "skipped", "reason": "pytest is not installed"}
        return
    tests = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    files = [str(test) for test in tests if "cuda.is_available" in test.read_text("utf-8")]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
               "-o", "addopts=--import-mode=importlib", "-k", "gpu or cuda"]  # fmt: skip
    done = subprocess.run([*command, *files], capture_output=True, text=True, cwd=REPOSITORY)
    print(done.stdout, done.stderr)  # noqa: T201  the step's log
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()]
    status = "done" if done.returncode == 0 else "failed"
    yield {"status": status, "n": 1, "files": len(files), "tests": lines[-1]}


def train(options: Options) -> Iterator[Facts]:
    """Train speed-75: one seed eagerly, and as many compiled as the time is enough for."""
    deadline = time.monotonic() + options.limit - SPARE
    ways: Facts = {}
    for way, most, flags in (
        ("eager", 1, ()),
        ("compiled", 1 if options.toy else 99, ("--compile",)),
    ):
        last, runs = 0.0, []
        ways[way] = {"runs": runs}
        while len(runs) < most and time.monotonic() + 1.2 * last < deadline:
            began = time.monotonic()
            try:
                runs.append(one_training(len(runs), flags, options))
            except RuntimeError as error:
                ways[way]["error"] = str(error)[-2000:]
                break
            last = time.monotonic() - began
            ways[way] |= summed(runs)
            yield {"status": "unfinished", "n": len(runs), "ways": ways}
    failed = any("error" in way for way in ways.values())
    captured = "not supported: the trainer has no captured step; graph.json has its rate"
    yield {
        "status": "failed" if failed else "done",
        "n": len(ways["compiled"]["runs"]),
        "ways": ways | {"captured": captured},
    }


def one_training(seed: int, flags: tuple[str, ...], options: Options) -> Facts:
    """Train and score one seed by the command, each timed from outside. Raises RuntimeError."""
    sets = [text for change in (TOY if options.toy else ()) for text in ("--set", change)]
    place = ["--data-dir", options.data_dir] if options.data_dir and not options.toy else []
    precision = "fp32" if options.toy else "bf16"
    with tempfile.TemporaryDirectory() as out:
        asked = ("speed-75", "--seed", str(seed), "--precision", precision, *flags, *sets, *place)
        run = _runs.train(Path(out), "run", *asked)
        return run | {"test": _runs.evaluate_on_test(Path(out) / "run", *place)}


def summed(runs: list[Facts]) -> Facts:
    return {
        "test_top_1": _runs.mean([run["test"] for run in runs]),
        "wall_seconds": median(run["wall_seconds"] for run in runs),
    }


def speed(name: str, options: Options) -> Iterator[Facts]:
    """Time a training step, ours and plain PyTorch, eager and compiled, in one process.

    A side that fails costs only itself. The sides are timed anew with each one that is added.
    """
    on, precision, recipe = case(name, options)
    given = (recipe, _ours.PIXELS, precision)
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: _ours.work(*given, on=on),
        "plain": lambda: _plain.work(*given, on=on),
        "plain compiled": lambda: _plain.work(*given, on=on, compiled=True),
        "ours compiled": lambda: _ours.work(*given, on=on, compiled=True),
    }
    blocks, seconds = (2, 0.02) if options.toy else (3, 0.5)
    facts: Facts = {
        "model": str(recipe.model),
        "precision": precision,
        "batch": recipe.batch_size,
        "n": blocks,
    }
    ready: dict[str, Callable[[float], float]] = {}
    errors: Facts = {}
    for side, make in sides.items():
        try:
            work = make()
            for _ in range(WARM):
                work()
        except Exception as error:
            errors[side] = f"{type(error).__name__}: {error}"[-2000:]
            continue
        ready[side] = partial(_common.rate, work)
        rates = _common.interleaved(ready, blocks, seconds)
        facts |= compared(rates, recipe.batch_size) | {"errors": errors}
        yield facts | {"status": "unfinished"}
    yield facts | {"errors": errors, "status": "failed" if errors else "done"}


def compared(rates: dict[str, list[float]], batch: int) -> Facts:
    """Return images and steps a second of each side, and its ratio to plain PyTorch."""
    speeds = {side: median(found) for side, found in rates.items()}
    others = {side: found for side, found in rates.items() if "plain" in rates and side != "plain"}
    return {
        "images_per_second": speeds,
        "steps_per_second": {side: found / batch for side, found in speeds.items()},
        "over_plain": {s: _common.ratio(found, rates["plain"]) for s, found in others.items()},
        "blocks": rates,
    }


def case(name: str, options: Options) -> tuple[str, str, Any]:
    """Return device, precision and recipe of a model whose step is timed."""
    on, precision = ("cuda", "bf16") if device_name() and not options.toy else ("cpu", "fp32")
    if name == "speednet":
        return on, precision, recipes.load("speed-75").override({}, TOY[1:4] if options.toy else ())
    model = (TOY_MODELS if options.toy else MODELS)[name]
    return on, precision, Recipe(model=model, optimizer=SGD, batch_size=8 if options.toy else 128)


def graph(_: Options) -> Iterator[Facts]:
    """Time the step of speed-75 captured as a CUDA graph beside the same step, eager."""
    if not device_name():
        yield {"status": "not supported", "reason": "a CUDA graph needs a CUDA device"}
        return
    recipe = recipes.load("speed-75")
    found: Facts = {}
    for size in (20, 24, 32):
        given = (recipe, size, "bf16")
        works = {"eager": _ours.work(*given, on="cuda"), "captured": _ours.captured(*given)}
        sides = {side: partial(_common.rate, work) for side, work in works.items()}
        rates = _common.interleaved(sides, 3, 0.5)
        found[size] = {
            "images_per_second": {side: median(some) for side, some in rates.items()},
            "ratio": _common.ratio(rates["captured"], rates["eager"]),
        }
        yield {"status": "unfinished", "n": 3, "precision": "bf16", "sizes": found}
    counts = time_to_75.images_by_size(recipe, 50_000)
    seconds = {
        side: sum(n / found[size]["images_per_second"][side] for size, n in counts.items())
        for side in ("eager", "captured")
    }
    training = "not supported: the trainer has no captured step, so this is projected from rates"
    yield {
        "status": "done", "n": 3, "precision": "bf16", "sizes": found,
        "projected_seconds": seconds, "training": training,
    }  # fmt: skip


def budget(options: Options) -> Iterator[Facts]:
    """Train by `--budget 60s`; over is the time from outside over the budget, less one."""
    data, asked = ("digits", "10s") if options.toy else ("cifar100", "60s")
    place = ["--data-dir", options.data_dir] if options.data_dir and not options.toy else []
    with tempfile.TemporaryDirectory() as out:
        run = _runs.train(Path(out), "run", "--data", data, "--budget", asked, *place)
    over = run["wall_seconds"] / float(asked.rstrip("s")) - 1
    yield {"status": "done", "n": 1, "budget": asked, "data": data, "over": over, "run": run}


def two_devices(options: Options) -> Iterator[Facts]:
    """Train on one GPU and on two, and compare rates and weights."""
    there = torch.cuda.device_count()
    if there < 2 and not options.toy:
        yield {"status": "skipped", "reason": f"two GPUs are needed, and {there} is there"}
        return
    sides = {"1 device": [], "2 devices": ["--devices", "2"]}
    arguments = ["--data", "digits", "--precision", "fp32", "--optimizer", "sgd(lr=0.001)",
                 "--epochs", "1" if options.toy else "20", "--patience", "0"]  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        facts = devices.compare(arguments, sides, 1, Path(out))
    yield {"status": "done", "n": 1, "precision": "fp32", **facts}


STEPS: dict[str, Callable[[Options], Iterator[Facts]]] = {
    "laws": laws,
    "train": train,
    "graph": graph,
    **{name: partial(speed, name) for name in ("speednet", *MODELS)},
    "budget": budget,
    "two_devices": two_devices,
}
