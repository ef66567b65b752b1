"""Carry out jobs by SLURM: arrays of tasks, one run each, in a folder that every node sees.

A task that is preempted or reaches its time gets SIGTERM or SIGUSR1: the run saves, the task is
queued again, and it resumes. Data, weights and the Python environment have the same paths on
every node, as on a cluster's shared disks.
"""

import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Generic

from hundredfold import files, machine
from hundredfold.errors import HundredfoldError, MissingError, UsageError
from hundredfold.executors import shipping
from hundredfold.executors.protocol import (
    SIGNALS,
    Job,
    JobProgress,
    Key,
    More,
    Outcome,
    Watch,
    nothing_more,
    saved_by,
)
from hundredfold.executors.slurm_script import array_script
from hundredfold.run import Run

_ARRAY = 1000  # tasks of an array; SLURM takes 1,001 unless MaxArraySize says more
_POLL = 2.0  # seconds between questions to SLURM
_ENDS = 60.0  # seconds in which cancelled tasks save
_LOST = 30.0  # seconds without a task that SLURM knows of and without its exit code
_COMMANDS = ("sbatch", "squeue", "scancel")


@dataclass(frozen=True)
class Slurm:
    """Carry out jobs by SLURM.

    cpus, gpus: of one job. shared: a folder that every node and this machine see.
    """

    cpus: int
    gpus: int
    shared: Path

    def scripts(self, jobs: Mapping[Key, Job], name: str) -> list[str]:
        """Return the scripts that `outcomes` would submit, without writing anything."""
        ordered = list(jobs.values())
        return [
            self._script(self._home(name) / str(number), ordered[first : first + _ARRAY], name)
            for number, first in enumerate(range(0, len(ordered), _ARRAY))
        ]

    def outcomes(
        self, jobs: Mapping[Key, Job], watch: Watch[Key], more: More[Key] = nothing_more
    ) -> Iterator[tuple[Key, Outcome]]:
        """Yield (key, outcome) of each job as it ends; see `Executor`.

        Raises MissingError where SLURM's commands are missing, and UsageError where it refuses.
        """
        if not jobs and more is nothing_more:
            return
        for command in _COMMANDS:
            if shutil.which(command) is None:
                raise MissingError(
                    f"there is no {command} on this machine, which --cluster slurm needs",
                    remedy="run this command on a login node, or add --dry-run to see the script",
                )
        waiting = dict(jobs) or dict(more())
        if not waiting:
            return
        home = self._home(f"{time.time_ns():x}")
        home.mkdir(parents=True)
        arrays: list[_Array[Key]] = []

        def submit(some: Mapping[Key, Job]) -> dict[Key, _Array[Key]]:
            if not some:
                return {}
            array = _Array(home / str(len(arrays)), dict(some))
            arrays.append(array)
            array.submit(self._script(array.folder, list(array.jobs.values()), home.name))
            return dict.fromkeys(some, array)

        try:
            keys, open_ = list(waiting), dict[Key, _Array[Key]]()
            for first in range(0, len(keys), _ARRAY):
                open_ |= submit({k: waiting[k] for k in keys[first : first + _ARRAY]})
            yield from _followed(arrays, open_, watch, lambda: submit(more()))
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _home(self, name: str) -> Path:
        return self.shared.absolute() / f"hundredfold-{name}"

    def _script(self, folder: Path, jobs: list[Job], name: str) -> str:
        commands = [_commands(job, folder / str(number)) for number, job in enumerate(jobs)]
        return array_script(folder, commands, name, self.cpus, self.gpus)


def _commands(job: Job, work: Path) -> tuple[str, str]:
    """Return the shell's words that begin a run in its work folder, and those that resume it."""

    def place(path: Path) -> Path:
        if job.files is not None and path.is_relative_to(job.files):
            return work / "files" / path.relative_to(job.files)
        return path.absolute()

    variables = [f"{name}={value}" for name, value in job.variables(place).items()]
    python = machine.python()
    texts = []
    for begun in (False, True):
        arguments = replace(job, begun=begun).arguments(work / "run" / job.folder.name, place)
        words = [*python, "-m", "hundredfold", *arguments]
        texts.append(shlex.join(["env", *variables, *words] if variables else words))
    return texts[0], texts[1]


@dataclass
class _Array(Generic[Key]):
    """An array of SLURM: the task with the number n carries out the n-th job."""

    folder: Path
    jobs: dict[Key, Job]
    number: str = ""

    def __post_init__(self) -> None:
        self._tasks = {key: str(number) for number, key in enumerate(self.jobs)}

    def submit(self, script: str) -> None:
        for number, job in enumerate(self.jobs.values()):
            work = self.folder / str(number)
            (work / "run").mkdir(parents=True)
            if job.files is not None:
                shutil.copytree(job.files, work / "files")
            if job.begun:
                shutil.copytree(
                    job.folder, work / "run" / job.folder.name,
                    ignore=shutil.ignore_patterns(".lock"),
                )  # fmt: skip
        files.write_text(self.folder / "array.sh", script)
        asked = _ask("sbatch", "--parsable", str(self.folder / "array.sh"))
        self.number = asked.partition(";")[0].strip()

    def work(self, key: Key) -> Path:
        return self.folder / self._tasks[key]

    def known(self) -> set[str]:
        """Return the numbers of the tasks that wait or run, as SLURM says."""
        try:
            asked = _ask("squeue", "--noheader", "--array", "--format=%K", "--jobs", self.number)
        except UsageError:  # SLURM has forgotten the array
            return set()
        return set(asked.split())


def _followed(
    arrays: list[_Array[Key]],
    open_: dict[Key, _Array[Key]],
    watch: Watch[Key],
    submit_more: Callable[[], dict[Key, _Array[Key]]],
) -> Iterator[tuple[Key, Outcome]]:
    caught: list[int] = []

    def catch(number: int, _frame: FrameType | None) -> None:
        caught.append(number)

    unknown: dict[Key, float] = {}
    with machine.signals_to(catch, *SIGNALS):
        try:
            while open_ and not caught:
                time.sleep(_POLL)
                yield from _ended(open_, unknown)
                running = {k: _progress(a.work(k), a.jobs[k]) for k, a in open_.items()}
                for key in watch({k: job for k, job in running.items() if job.node}):
                    _stop(open_[key], key)
                if all(job.node for job in running.values()):  # none waits in SLURM's queue
                    open_ |= submit_more()
        finally:
            _cancel(arrays, open_)
    if caught:
        raise saved_by(caught[-1])


def _ended(
    open_: dict[Key, _Array[Key]], unknown: dict[Key, float]
) -> Iterator[tuple[Key, Outcome]]:
    """Yield the jobs whose tasks have ended, and take them out of `open_`."""
    known = {id(array): array.known() for array in open_.values()}
    for key, array in list(open_.items()):
        work = array.work(key)
        code = _text(work / "code")
        if not code and work.name in known[id(array)]:
            unknown.pop(key, None)
            continue
        if not code and time.monotonic() - unknown.setdefault(key, time.monotonic()) < _LOST:
            continue
        del open_[key]
        yield key, _taken(work, array.jobs[key], code)


def _taken(work: Path, job: Job, code: str) -> Outcome:
    """Put a run's folder in place, and return its outcome."""
    folder = work / "run" / job.folder.name
    if (folder / "run.json").is_file():
        here = {str(folder.parent): str(job.folder.parent)}
        shipping.adopt(shipping.packed(folder), job.folder, here)
    ended = Outcome.of_output(int(code or 1), _text(work / "out.json"), _text(work / "err.txt"))
    return ended if code else replace(ended, reason="SLURM lost its task")


def _progress(work: Path, job: Job) -> JobProgress:
    curve: tuple[Mapping[str, float], ...] = ()
    with suppress(HundredfoldError, OSError):
        curve = tuple(Run(work / "run" / job.folder.name).curve)
    return JobProgress(_text(work / "node").strip(), curve)


def _stop(array: _Array[Any], key: Any) -> None:
    (array.work(key) / "stop").touch()
    with suppress(UsageError):
        _ask("scancel", "--batch", "--signal=TERM", f"{array.number}_{array.work(key).name}")


def _cancel(arrays: list[_Array[Key]], open_: dict[Key, _Array[Key]]) -> None:
    """Let the running tasks save, take their runs, and leave none in SLURM's queue."""
    if not open_:
        return
    for key, array in open_.items():
        (array.work(key) / "stop").touch()
    for array in arrays:
        with suppress(UsageError):
            _ask("scancel", "--state=PENDING", array.number)
            _ask("scancel", "--batch", "--signal=TERM", array.number)
    limit = time.monotonic() + _ENDS
    while time.monotonic() < limit and any(array.known() for array in arrays):
        time.sleep(_POLL / 2)
    for key, array in open_.items():
        with suppress(HundredfoldError, OSError):
            _taken(array.work(key), array.jobs[key], "143")
    for array in arrays:
        with suppress(UsageError):
            _ask("scancel", array.number)


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise UsageError(f"{command[0]} failed", found=done.stderr.strip()[:500] or None)
    return done.stdout


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
