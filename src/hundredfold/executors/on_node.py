"""Carry out one job on a node of a cluster: fetch what it reads, run it, return its folder."""

import errno
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hundredfold import cache, files, locks
from hundredfold.cache import Store
from hundredfold.errors import HundredfoldError
from hundredfold.executors import child, shipping
from hundredfold.executors.child import Child
from hundredfold.executors.protocol import Outcome
from hundredfold.run import Run

INPUTS, FILES, WORK = "/@inputs", "/@files", "/@work"  # what stands for folders of the node
LIBRARIES = ("torch", "numpy", "pillow", "safetensors", "pydantic")  # must be equal everywhere
_POLL = 0.5  # seconds between reports
_KEPT, _UNUSED = 20, 86400.0  # inputs in a node's cache; seconds before one may be deleted
_FULL = ("not enough room on the disk", os.strerror(errno.ENOSPC))
_WORK = "hundredfold-run-"
_NEW = 60.0  # seconds in which the maker of a folder locks it

Report = Callable[[Sequence[Mapping[str, float]]], bool]


def survey(_package: str) -> dict[str, str]:
    """Return the versions of Python and of the libraries on this node; "" for a missing one."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def carry_out(
    package: str, task: Mapping[str, Any], inputs: Mapping[str, list[Any]], board: Any
) -> dict[str, Any]:
    """Carry out a job, and return its outcome with its folder.

    task: see `ray.py`, which makes it. inputs: digest -> object references of the pieces of what
    the job reads. board: the actor that takes reports.

    Returns the fields of `Outcome`; "folder", the pieces of the run's archive, or None; "places",
    what stood for which folder; "again", whether another node may do better; and "stopped".
    """
    import ray

    node = ray.get_runtime_context().get_node_id()

    def report(rows: Sequence[Mapping[str, float]]) -> bool:
        with suppress(ray.exceptions.RayError):  # the board is gone: its driver will end this
            asked: bool = ray.get(board.report.remote(task["number"], node, list(rows)), timeout=9)
            return asked
        return False

    if report(()):
        return _answer(Outcome(143, {}, "stopped before it began"), None, {}, stopped=True)
    try:
        with _work(task["shared"], task["attempt"]) as work:
            places = {INPUTS: str(_inputs().path("")), FILES: str(work / "files"), WORK: str(work)}
            for digest, pieces in inputs.items():
                _fetch(digest, (ray.get(piece) for piece in pieces))
            return _trained(package, task, work, places, report)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _answer(Outcome(5, {}, f"{error.strerror} on node {node[:8]}"), None, {}, again=True)


def _trained(
    package: str, task: Mapping[str, Any], work: Path, places: dict[str, str], report: Report
) -> dict[str, Any]:
    folder = work / task["name"]
    begun = _lay_out(task, work, folder, places)
    arguments = _placed(task["resume" if begun else "begin"], places)
    variables = dict(
        zip(task["variables"], _placed(task["variables"].values(), places), strict=True)
    )
    process = child.start(
        arguments, variables, program=task["program"], environment=_environment(package, task)
    )
    outcome, stopped = _followed(process, folder, report)
    killed = outcome.code in (128 + signal.SIGKILL, 128 + signal.SIGTERM) and not stopped
    again = killed or any(text in outcome.reason for text in _FULL)
    kept = folder if (folder / "run.json").is_file() else None
    return _answer(outcome, kept, places, again=again, stopped=stopped)


def _lay_out(task: Mapping[str, Any], work: Path, folder: Path, places: dict[str, str]) -> bool:
    """Unpack the recipe, and the run so far; return whether there is one to resume."""
    if task["files"]:
        shipping.unpack(task["files"], work / "files")
    former = work.with_name(f"{work.name.rpartition('.')[0]}.{task['attempt'] - 1}") / task["name"]
    if task["shared"] and (former / "run.json").is_file():
        shutil.copytree(former, folder, ignore=shutil.ignore_patterns(".lock", "*.part"))
        return True
    if task["state"]:
        shipping.unpack(task["state"], folder)
        here = dict(zip(task["places"], _placed(task["places"].values(), places), strict=True))
        shipping.relocate(folder, here)
    return bool(task["state"])


def _placed(texts: Iterable[str], places: Mapping[str, str]) -> list[str]:
    """Return texts with what stands for a folder at their begin replaced by that folder."""
    placed = []
    for text in texts:
        mark = next((m for m in places if text == m or text.startswith(f"{m}/")), None)
        placed.append(text if mark is None else places[mark] + text[len(mark) :])
    return placed


def _environment(package: str, task: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of this process without Ray's own, and with the package's path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    sent: Mapping[str, str] = task["environment"]
    kept.pop("PYTHONBREAKPOINT", None)
    if kept.get("OMP_NUM_THREADS") == str(int(task["cpus"])):  # Ray's; --threads says it here
        del kept["OMP_NUM_THREADS"]
    paths = [package, *filter(None, [kept.get("PYTHONPATH", "")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)} | {**sent}


def _followed(process: Child, folder: Path, report: Report) -> tuple[Outcome, bool]:
    """Report the curve until the command ends; return its outcome, and whether it was stopped."""
    stopped, reported = False, 0
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.process.wait(_POLL)
                return process.outcome(), stopped
            with suppress(HundredfoldError, OSError):
                rows = Run(folder).curve[reported:]
                reported += len(rows)
                if report(rows) and not stopped:
                    stopped = True
                    process.tell(signal.SIGTERM)
    except BaseException:  # Ray ends this worker
        process.tell(signal.SIGTERM)
        process.end()
        raise


def _answer(
    outcome: Outcome,
    folder: Path | None,
    places: Mapping[str, str],
    *,
    again: bool = False,
    stopped: bool = False,
) -> dict[str, Any]:
    pieces = shipping.packed(folder) if folder else None
    more = {"folder": pieces, "places": dict(places), "again": again, "stopped": stopped}
    return asdict(outcome) | more


@contextmanager
def _work(shared: str, attempt: int) -> Iterator[Path]:
    """Yield an empty folder for a run; remove it at the end, and those of killed workers.

    shared: the job's own path in the shared folder, or "": a temporary folder of the node. What
    is in the shared folder stays, as a save to resume from.
    """
    if shared:
        work = Path(f"{shared}.{attempt}")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        yield work
        shutil.rmtree(work, ignore_errors=True)
        return
    for left in Path(tempfile.gettempdir()).glob(f"{_WORK}*"):
        with suppress(OSError):
            about = left.stat()
            old = about.st_uid == os.getuid() and time.time() - about.st_mtime > _NEW
            if old and not locks.is_held(left / ".held"):
                shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=_WORK))
    try:
        with (work / ".held").open("a") as file, locks.exclusive(file, wait=False):
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _inputs() -> Store:
    return Store(cache.location(), "inputs", version=1, keep=_KEPT, unused=_UNUSED)


def _fetch(digest: str, pieces: Iterable[bytes]) -> None:
    """Unpack what a job reads into the node's cache, unless it is there."""
    store = _inputs()
    folder = store.path(digest)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locks.alone(folder):
            if not folder.is_dir():
                part = folder.with_name(f".{digest}.part")
                shutil.rmtree(part, ignore_errors=True)
                try:
                    shipping.unpack(pieces, part)
                    files.move(part, folder)
                finally:
                    shutil.rmtree(part, ignore_errors=True)
        store.drop_old()
    store.mark_used(digest)
