"""Carry out jobs on a Ray cluster: one task is one job, and its folder comes back whole."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Generic

from hundredfold import machine
from hundredfold.errors import HundredfoldError
from hundredfold.executors import boot, shipping
from hundredfold.executors.child import PATIENCE, PROGRAM
from hundredfold.executors.on_node import FILES, INPUTS, WORK
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
from hundredfold.executors.ray_cluster import Cluster, connected, on_node

_WINDOW = 1000  # tasks that wait or run in the cluster; the others wait here
_POLL = 0.2  # seconds
_ATTEMPTS = 4  # of one job, at most
_SENT = ("HUNDREDFOLD_OFFLINE",)  # variables that hold on every node


@dataclass(frozen=True)
class Ray:
    """Carry out jobs on a Ray cluster.

    address:  "auto", "local" or HOST:PORT.
    cpus:     of one job. gpus: of one job; a fraction shares a GPU.
    shared:   a folder that every node sees, in which runs are saved while they train.
    insecure: whether a cluster beyond this machine may be without authentication.
    program:  what Python runs for a job.
    """

    address: str
    cpus: int = 1
    gpus: float = 0.0
    shared: Path | None = None
    insecure: bool = False
    program: tuple[str, ...] = PROGRAM

    def outcomes(
        self, jobs: Mapping[Key, Job], watch: Watch[Key], more: More[Key] = nothing_more
    ) -> Iterator[tuple[Key, Outcome]]:
        """Yield (key, outcome) of each job as it ends; see `Executor`.

        A job whose node or worker is lost is tried again elsewhere, four times at most.
        """
        if jobs or more is not nothing_more:
            with connected(self.address, self.cpus, self.gpus, insecure=self.insecure) as cluster:
                yield from _Dispatch(self, cluster, dict(jobs), more).outcomes(watch)


@dataclass
class _Task(Generic[Key]):
    """A job with its number, its attempts, the nodes that failed, and what it has reported."""

    key: Key
    job: Job
    number: int
    attempts: int = 0
    failed_on: set[str] = field(default_factory=set)
    node: str = ""
    curve: list[Mapping[str, float]] = field(default_factory=list)


class _Dispatch(Generic[Key]):
    def __init__(
        self, settings: Ray, cluster: Cluster, jobs: dict[Key, Job], more: More[Key]
    ) -> None:
        self._settings, self._cluster, self._ray = settings, cluster, cluster.ray
        self._tasks = {n: _Task(key, job, n) for n, (key, job) in enumerate(jobs.items())}
        self._more = more
        self._waiting = list(reversed(self._tasks))
        self._pending: dict[Any, _Task[Key]] = {}
        self._inputs: dict[Path, tuple[str, list[Any]]] = {}
        self._caught = 0
        self._call = self._ray.remote(boot.call)
        here = self._ray.get_runtime_context().get_node_id()
        board = self._ray.remote(num_cpus=0)(boot.Board)
        self._board = board.options(scheduling_strategy=on_node(here)).remote()
        self._token = f"{os.getpid()}-{time.time_ns():x}"

    def outcomes(self, watch: Watch[Key]) -> Iterator[tuple[Key, Outcome]]:
        def catch(number: int, _frame: FrameType | None) -> None:
            self._caught = number

        with machine.signals_to(catch, *SIGNALS):
            try:
                while not self._caught:
                    self._ask()
                    self._submit()
                    if not self._pending:
                        break
                    yield from self._ended(_POLL)
                    self._tell(watch)
            finally:
                self._end()
        if self._caught:
            raise saved_by(self._caught)

    def _ask(self) -> None:
        """Ask for further jobs while none waits and the cluster has room."""
        while not self._waiting and len(self._pending) < self._room():
            further = self._more()
            if not further:
                return
            for key, job in further.items():
                number = len(self._tasks)
                self._tasks[number] = _Task(key, job, number)
                self._waiting.append(number)
            self._submit()

    def _room(self) -> int:
        """Return how many jobs the cluster carries out concurrently, at least 1."""
        sizes, settings = self._ray.cluster_resources(), self._settings
        rooms = [int(sizes.get("CPU", 0.0) // settings.cpus)]
        if settings.gpus:
            rooms.append(int(sizes.get("GPU", 0.0) / settings.gpus))
        return max(1, min(rooms))

    def _submit(self) -> None:
        while self._waiting and len(self._pending) < _WINDOW and not self._caught:
            task = self._tasks[self._waiting.pop()]
            task.attempts += 1
            task.node, task.curve = "", []
            inputs = dict(self._put(path, task.job) for path in task.job.inputs)
            options: dict[str, Any] = {
                "num_cpus": self._settings.cpus,
                "num_gpus": self._settings.gpus,
                "max_retries": 0,
            }
            if avoided := self._avoided(task):
                options["label_selector"] = {"ray.io/node-id": f"!in({','.join(avoided)})"}
            answer = self._call.options(**options).remote(
                "carry_out", self._cluster.package, self._described(task), inputs, self._board
            )
            self._pending[answer] = task

    def _avoided(self, task: _Task[Key]) -> Collection[str]:
        """Return the nodes on which a job failed, while others are there."""
        alive = (
            {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
            if task.failed_on
            else ()
        )
        return task.failed_on if set(alive) - task.failed_on else ()

    def _put(self, path: Path, job: Job) -> tuple[str, list[Any]]:
        """Return digest and references of a path that jobs read, sent once."""
        root = path.parent if path in job.tables else path
        if root not in self._inputs:
            pieces: list[Any] = []
            digest = shipping.pack(
                root, lambda piece: pieces.append(self._ray.put(piece)),
                name=_name_within(root), dated=False,
            )  # fmt: skip
            self._inputs[root] = digest, pieces
        return self._inputs[root]

    def _place(self, path: Path, job: Job) -> Path:
        """Return what stands for a path in the arguments of a job."""
        if job.files is not None and path.is_relative_to(job.files):
            return Path(FILES) / path.relative_to(job.files)
        root = path.parent if path in job.tables else path
        return Path(INPUTS) / self._inputs[root][0] / _name_within(root) / path.relative_to(root)

    def _described(self, task: _Task[Key]) -> dict[str, Any]:
        """Return what `on_node.carry_out` needs to know of a job."""
        job, work = task.job, Path(WORK) / task.job.folder.name
        place: Callable[[Path], Path] = lambda path: self._place(path, job)  # noqa: E731
        shared = self._settings.shared
        return {
            "number": task.number,
            "attempt": task.attempts,
            "name": job.folder.name,
            "begin": replace(job, begun=False).arguments(work, place),
            "resume": replace(job, begun=True).arguments(work, place),
            "variables": job.variables(place),
            "places": {str(path): str(place(path)) for path in job.inputs},
            "files": shipping.packed(job.files) if job.files else [],
            "state": shipping.packed(job.folder) if job.begun else [],
            "shared": str(shared.absolute() / self._token / str(task.number)) if shared else "",
            "program": list(self._settings.program),
            "environment": {name: os.environ[name] for name in _SENT if name in os.environ},
            "cpus": self._settings.cpus,
        }

    def _ended(self, seconds: float) -> Iterator[tuple[Key, Outcome]]:
        """Yield the jobs that have ended, after waiting for one for some time."""
        pending = list(self._pending)
        self._ray.wait(pending, num_returns=1, timeout=seconds, fetch_local=False)
        ready, _ = self._ray.wait(pending, num_returns=len(pending), timeout=0)
        for answer in ready:
            task = self._pending.pop(answer)
            outcome = self._outcome(answer, task)
            if outcome is not None:
                yield task.key, outcome

    def _outcome(self, answer: Any, task: _Task[Key]) -> Outcome | None:
        """Return the outcome of a job whose folder is then in place; None to try it again."""
        errors = self._ray.exceptions
        try:
            answered = self._ray.get(answer)
        except errors.RayError as error:
            return self._again(task, Outcome(1, {}, _last_line(error)))
        outcome = Outcome(answered["code"], answered["result"], answered["reason"])
        try:
            if answered["folder"] is not None:
                self._keep(task, answered["folder"], answered["places"])
        except HundredfoldError as error:
            return self._again(task, Outcome(error.exit_code, {}, str(error.message)))
        return self._again(task, outcome) if answered["again"] else outcome

    def _again(self, task: _Task[Key], outcome: Outcome) -> Outcome | None:
        """Let a job wait for another attempt; return the outcome where it has had enough."""
        if self._caught or task.attempts >= _ATTEMPTS:
            return outcome
        if task.node:
            task.failed_on.add(task.node)
        self._waiting.append(task.number)
        return None

    def _keep(self, task: _Task[Key], pieces: list[bytes], places: Mapping[str, str]) -> None:
        """Put a job's folder in place, whole; paths of the node in it become those of here."""
        job = task.job
        here = {places[WORK]: str(job.folder.parent)}
        for path in job.inputs:
            place = str(self._place(path, job))
            here[place.replace(INPUTS, places[INPUTS], 1)] = str(path.absolute())
        shipping.adopt(pieces, job.folder, here)
        task.job = replace(job, begun=True)

    def _tell(self, watch: Watch[Key]) -> None:
        """Tell which jobs run, and stop those that the caller wants to stop."""
        news = self._ray.get(self._board.news.remote())
        for number, (node, rows) in news.items():
            task = self._tasks[number]
            task.node = node
            task.curve.extend(rows)
        running = [task for task in self._pending.values() if task.node]
        name = self._cluster.node_name
        stopped = set(watch({t.key: JobProgress(name(t.node), tuple(t.curve)) for t in running}))
        if stopped:
            self._board.stop.remote([t.number for t in running if t.key in stopped])

    def _end(self) -> None:
        """Let the running jobs save, and take their folders; nothing stays on the cluster."""
        if not self._pending:
            return
        self._board.stop_all.remote()
        limit = time.monotonic() + 2 * PATIENCE
        self._waiting.clear()
        for answer, task in self._pending.items():
            if not task.node:
                self._ray.cancel(answer)
        while self._pending and time.monotonic() < limit:
            for _ in self._ended(_POLL):
                pass
            self._waiting.clear()
        for answer in self._pending:
            self._ray.cancel(answer, force=True)


def _name_within(root: Path) -> str:
    """Return the path of a root in its archive: its name, for a file below that of its folder."""
    root = root.absolute()
    return root.name if root.is_dir() else f"{root.parent.name or 'data'}/{root.name}"


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip() if lines else ''}"
