"""Carry out command lines in forked children of one process that has loaded torch once.

Reads a JSON list of tasks on stdin and writes a JSON list of exit codes on stdout. A task:
arguments: what stands after `hundredfold`.
signal, epochs, after: send that signal `after` seconds after training began and the curve has
    so many epochs.
save_every: seconds between saves in the middle of an epoch.
opened: a file to which every file that is opened is appended.
memory: a file to which the resident bytes after each epoch are appended.
resume: what to carry out instead, with the next of `waits`, until the run is done.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch._dynamo  # noqa: F401  the first optimizer would load it in every child, for seconds

from hundredfold import cli
from hundredfold.cli import train as _verb  # noqa: F401  loads what a child would load
from hundredfold.training import fit


def main() -> None:
    os.fsync = lambda _descriptor: None  # a kill loses nothing that was written
    codes = [_task(task) for task in json.load(sys.stdin)]
    json.dump(codes, sys.stdout)


def _task(task: dict[str, Any]) -> list[int]:
    codes = []
    for wait in task.get("waits", [task.get("after", 0.0)]):
        begun = (Path(task["run"]) / "run.json").exists() if "run" in task else False
        arguments = task["resume"] if begun and "resume" in task else task["arguments"]
        codes.append(_child(task | {"arguments": arguments, "after": wait}))
        if codes[-1] == 0:
            break
    return codes


def _child(task: dict[str, Any]) -> int:
    before = _count(task, "log.txt", b"plan ")
    child = os.fork()
    if child == 0:
        os._exit(_work(task))
    if task.get("signal") and task["after"] is not None:
        _signal(child, task, before)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _signal(child: int, task: dict[str, Any], before: int) -> None:
    """Send the signal some time after training has begun."""
    epochs = task.get("epochs", 0)
    while _count(task, "log.txt", b"plan ") == before or _count(task, "curve.jsonl") < epochs:
        time.sleep(0.002)
        if psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
    time.sleep(task["after"])
    os.kill(child, task["signal"])


def _count(task: dict[str, Any], name: str, what: bytes = b"\n") -> int:
    path = Path(task.get("run", "")) / name
    return path.read_bytes().count(what) if path.is_file() else 0


def _work(task: dict[str, Any]) -> int:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    if not task.get("loud"):
        os.dup2(null, 2)
    fit.SAVE_EVERY = task.get("save_every", fit.SAVE_EVERY)
    if "opened" in task:
        _watch_files(task["opened"])
    if "memory" in task:
        _watch_memory(task["memory"])
    return cli.main(task["arguments"])


def _watch_files(log: str) -> None:
    descriptor = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            os.write(descriptor, f"{arguments[0]}\n".encode())

    sys.addaudithook(hook)


def _watch_memory(log: str) -> None:
    close_epoch = fit.Fit._close_epoch

    def closing(self: fit.Fit) -> None:
        close_epoch(self)
        with Path(log).open("a") as file:
            file.write(f"{psutil.Process().memory_info().rss}\n")

    fit.Fit._close_epoch = closing  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
