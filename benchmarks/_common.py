"""What the benchmarks share: interleaved timing, the machine's GEMM peak, a table, a line of JSON.

A side is a piece of work that a process of its own does over and over, so that nothing leaks
from one to the other (threads, how the C library keeps memory, another framework). A block
is as many pieces as fit in some seconds. The blocks of the sides are interleaved, every other
round in reverse, so that a busy machine slows them alike; a ratio is the median over the
rounds of the ratio within a round, given with the smallest and the largest.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hundredfold import machine

Work = Callable[[], float]  # does one piece and returns its amount: images, multiply-accumulates
Facts = dict[str, Any]

WARM = 1.5  # seconds before the first block, in which a training finds its cores idle


class Side(NamedTuple):
    """How a process makes its work: make(*given), both importable there.

    environment: variables that are set before the process loads anything. processor_time: seconds
    are the processor's, on which competing processes hardly count, instead of the clock's.
    """

    make: Callable[..., Work]
    given: tuple[Any, ...] = ()
    threads: int = 1
    environment: Mapping[str, str] = {}
    processor_time: bool = False


class Worker:
    """The process of a side, ready when this returns. Raises RuntimeError where it ends."""

    def __init__(self, name: str, side: Side) -> None:
        start = get_context("spawn")
        self.name = name
        self._pipe, there = start.Pipe()
        self._process = start.Process(target=_serve, args=(there, side), daemon=True)
        with _environment(side.environment):
            self._process.start()
        there.close()
        self._answer()

    def rate(self, seconds: float) -> float:
        """Let it work for a block of so many seconds; return the amount a second."""
        self._pipe.send(seconds)
        return self._answer()

    def close(self) -> None:
        self._pipe.close()
        self._process.join()

    def _answer(self) -> float:
        try:
            return float(self._pipe.recv())
        except EOFError:
            raise RuntimeError(f"the process of {self.name!r} ended; see above") from None


def _serve(pipe: Connection, side: Side) -> None:
    torch.set_num_threads(side.threads)
    work = side.make(*side.given)
    rate(work, WARM)
    clock = time.process_time if side.processor_time else time.perf_counter
    pipe.send(0.0)
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        pipe.send(rate(work, seconds, clock))


def rate(work: Work, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Do a block of so many seconds of a clock; return the amount a second."""
    began, done = clock(), work()
    while clock() - began < seconds:
        done += work()
    return done / (clock() - began)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def workers(sides: Mapping[str, Side]) -> Iterator[dict[str, Worker]]:
    """Start a process for each side, and end them all."""
    started: dict[str, Worker] = {}
    try:
        for name, side in sides.items():
            started[name] = Worker(name, side)
        yield started
    finally:
        for worker in started.values():
            worker.close()


def interleaved_processes(
    sides: Mapping[str, Side], blocks: int, seconds: float
) -> dict[str, list[float]]:
    """Return the amount a second of each side, a number a block; see `interleaved`."""
    with workers(sides) as started:
        return interleaved({name: one.rate for name, one in started.items()}, blocks, seconds)


def interleaved(
    sides: Mapping[str, Callable[[float], float]], blocks: int, seconds: float
) -> dict[str, list[float]]:
    """Return what each side gives for a block, every other round in reverse order."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for block in range(blocks):
        for name in list(sides)[:: 1 if block % 2 == 0 else -1]:
            rates[name].append(sides[name](seconds))
    return rates


def ratio(mine: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """Return the median of mine / others over the blocks, with the smallest and largest."""
    found = [a / b for a, b in zip(mine, others, strict=True)]
    return {"value": statistics.median(found), "low": min(found), "high": max(found)}


def gemm(precision: str, size: int) -> Work:
    """Return a square product of size x size, in multiply-accumulates."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size).to(kind) for _ in range(2))

    def work() -> float:
        torch.mm(a, b)
        return float(size**3)

    return work


def share_of_peak(macs: int, rates: Sequence[float], peaks: Sequence[float]) -> float:
    """Return the share of the best block's GEMM rate that training steps reach.

    macs: of one image's forward pass; a step is three times that. rates: images a second.
    """
    return 3 * macs * statistics.median(rates) / max(peaks)


def precisions() -> tuple[str, ...]:
    """Return the precisions that this processor has instructions for."""
    bf16 = any("bf16" in name for name in machine.instruction_sets())
    return ("fp32", "bf16") if bf16 else ("fp32",)


def base_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the one option of every benchmark."""
    found = argparse.ArgumentParser(description=doc.partition("\n")[0])
    found.add_argument("--record", type=Path, help="write benchmarks/results/NAME.json as well")
    return found


def parser(doc: str, *, blocks: int = 9, seconds: float = 1.0) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark that times blocks."""
    found = base_parser(doc)
    found.add_argument("--threads", type=int, default=machine.cores())
    found.add_argument("--blocks", type=int, default=blocks, help="of each side")
    found.add_argument("--seconds", type=float, default=seconds, help="of one block")
    found.add_argument("--gemm", type=int, default=4096, help="size of the product of the peak")
    return found


def report(
    benchmark: str,
    cells: Sequence[Sequence[str]],
    facts: Mapping[str, Any],
    record: Path | None = None,
) -> None:
    """Print a table, whose first row is its head, and one line of JSON with the machine.

    record: where the JSON is written as well.
    """
    wide = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = [
        "  ".join(
            f"{text:>{size}}" if k else f"{text:<{size}}"
            for k, (text, size) in enumerate(zip(row, wide, strict=True))
        )
        for row in cells
    ]
    whole = _rounded({"benchmark": benchmark, **_machine(), **facts})
    sys.stdout.write("\n".join([*lines, json.dumps(whole)]) + "\n")
    if record:
        write_record(record, whole)


def write_record(path: Path, facts: Mapping[str, Any], machine_name: str = "") -> None:
    """Write one JSON file that says what was run, where and when, and the facts.

    machine_name: of what computed, where that is not the processor.
    """
    script, *options = sys.argv
    if "--record" in options:  # where the numbers were written is no part of what was run
        index = options.index("--record")
        options[index : index + 2] = []
    head: Facts = {
        "name": path.stem,
        "command": [shlex.join(["python", f"benchmarks/{Path(script).name}", *options])],
        "machine": machine_name or _processor_name(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")  # whoever is stopped here leaves the record from before
    part.write_text(json.dumps(head | _rounded(dict(facts)), indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _processor_name() -> str:
    """Return the processor, its widest instruction set and its cores: "AMD EPYC, AVX2, 2 cores"."""
    sets, cores = machine.instruction_sets(), machine.cores()
    return ", ".join([machine.processor(), *sets[-1:], f"{cores} core{'s' * (cores != 1)}"])


def _machine() -> Facts:
    return {
        "processor": machine.processor(),
        "instruction_sets": machine.instruction_sets(),
        "cores": machine.cores(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
    }


def _rounded(value: Any) -> Any:
    """Keep five digits of every number: more are noise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value
