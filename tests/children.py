"""Carry out command lines in forked children of one process that has loaded torch once.

Reads a JSON list of tasks a line on stdin and writes a line with the JSON list of their exit
codes on stdout. A task:
arguments: what stands after `hundredfold`.
signal, epochs, after: send that signal `after` seconds after training began and the curve has
    so many epochs; with "from_start" after the child began, wherever it is.
save_every: seconds between saves, whatever they cost.
opened: a file to which every file that is opened is appended.
memory: a file to which the resident bytes after each epoch are appended.
said: a file to which what the command prints is appended.
resume: what to carry out instead, with the next of `waits`, once there is the run.
environment: variables for the child.
save, inject, log: let strace watch that save (from 1) into a log, and inject a fault there.
fill: before the third save fill the disk of a folder but for so many bytes; a third element
    says whether the check for room is made then, or passed, so that writing fails.
took: a file to which the seconds from the signal to the end are appended.
strays: a file to which the processes that a child leaves are appended.
"""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from tracing import attached

from hundredfold import cli
from hundredfold.cli import train as _verb  # noqa: F401  loads what a child would load
from hundredfold.training import checkpoint, loop, saves

_FSYNC = os.fsync


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a script's background
    os.fsync = lambda _descriptor: None  # a kill loses nothing that was written
    for line in sys.stdin:
        codes = [_task(task) for task in json.loads(line)]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


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
    to_server, to_child = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os._exit(_work(task, to_server[1], to_child[0]))
    for descriptor in (to_server[1], to_child[0]):
        os.close(descriptor)
    tracer = _traced(child, task, to_server[0], to_child[1]) if "save" in task else None
    if task.get("signal") and task["after"] is not None:
        _signal(child, task, before)
    began = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _note(task, "took", f"{time.monotonic() - began}")
    if tracer:
        tracer.wait(10)
    for descriptor in (to_server[0], to_child[1]):
        os.close(descriptor)
    if "strays" in task:
        _note_strays(child, task)
    return code


def _signal(child: int, task: dict[str, Any], before: int) -> None:
    """Send the signal some time after training has begun, or after the child has."""
    if not task.get("from_start"):
        _await(child, task, before)
    time.sleep(task["after"])
    if psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        os.kill(child, task["signal"])


def _await(child: int, task: dict[str, Any], before: int = -1) -> None:
    epochs = task.get("epochs", 0)
    while _count(task, "log.txt", b"plan ") == before or _count(task, "curve.jsonl") < epochs:
        time.sleep(0.002)
        if psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return


def _traced(
    child: int, task: dict[str, Any], ready: int, go: int
) -> subprocess.Popen[bytes] | None:
    """Attach strace to a child that waits before a save, and let it go on."""
    if not os.read(ready, 1):
        return None
    faults = ["-e", f"inject={task['inject']}"] if task["inject"] else []
    tracer = attached(child, *faults, log=task["log"])
    os.write(go, b"g")
    return tracer


def _note_strays(child: int, task: dict[str, Any]) -> None:
    """Note every process of the child's group that is left after a moment to end in."""
    patience = time.monotonic() + 2
    while (left := _group(child)) and time.monotonic() < patience:
        time.sleep(0.05)
    for name in left:
        _note(task, "strays", name)


def _group(leader: int) -> list[str]:
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        try:
            if os.getpgid(process.pid) == leader and process.pid != os.getpid():
                found.append(f"{process.pid} {process.info['name']}")
        except ProcessLookupError:
            continue
    return found


def _note(task: dict[str, Any], kind: str, line: str) -> None:
    if kind in task:
        with Path(task[kind]).open("a") as file:
            file.write(line + "\n")


def _count(task: dict[str, Any], name: str, what: bytes = b"\n") -> int:
    path = Path(task.get("run", "")) / name
    return path.read_bytes().count(what) if path.is_file() else 0


def _work(task: dict[str, Any], ready: int, go: int) -> int:
    said = os.open(task.get("said", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.update(task.get("environment", {}))
    if "save_every" in task:
        loop.WITHIN_EPOCH, saves.SHARE_OF_TIME = task["save_every"], math.inf
    if "fill" in task:
        _fill_before_third_save(*task["fill"])
    if "save" in task:
        _wait_at_save(task["save"], ready, go)
    if "opened" in task:
        _watch_files(task["opened"])
    if "memory" in task:
        _watch_memory(task["memory"])
    return cli.main(task["arguments"])


def _wait_at_save(number: int, ready: int, go: int) -> None:
    """Let the server attach strace before a save, and mark the end of the save in its log."""
    save, done = checkpoint.save, 0
    os.fsync = _FSYNC

    def watched(*given: Any) -> None:
        nonlocal done
        done += 1
        if done != number:
            return save(*given)
        os.write(ready, b"r")
        os.read(go, 1)
        try:
            return save(*given)
        finally:
            os.getpgid(0)

    checkpoint.save = watched


def _fill_before_third_save(folder: str, left: int, foreseen: bool) -> None:
    need_room, count = saves.need_room, 0

    def full(*given: Any) -> None:
        nonlocal count
        count += 1
        if count == 3:
            disk = os.statvfs(folder)
            blocks = disk.f_bavail - left // disk.f_bsize
            (Path(folder) / "filler").write_bytes(bytes(blocks * disk.f_bsize))
        if count < 3 or foreseen:
            need_room(*given)

    saves.need_room = full


def _watch_files(log: str) -> None:
    descriptor = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            os.write(descriptor, f"{arguments[0]}\n".encode())

    sys.addaudithook(hook)


def _watch_memory(log: str) -> None:
    finish_epoch = loop.Loop._finish_epoch

    def finishing(self: loop.Loop, row: dict[str, float]) -> None:
        finish_epoch(self, row)
        with Path(log).open("a") as file:
            file.write(f"{psutil.Process().memory_info().rss}\n")

    loop.Loop._finish_epoch = finishing  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
