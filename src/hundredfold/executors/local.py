"""Carry out jobs as child processes of this one, a few concurrently, without orphans."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from hundredfold import machine
from hundredfold.executors.protocol import Job, Key, Outcome, Standing, Watch, saved_by
from hundredfold.run import Run

_POLL = 0.1  # seconds
_PATIENCE = 30.0  # seconds in which children save after a signal
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]

    def tell(self, number: int) -> None:
        """Send a signal to the child and, where process groups exist, to its descendants."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the child and its descendants."""
        if hasattr(signal, "SIGKILL"):
            self.tell(signal.SIGKILL)
        else:
            self.process.kill()

    def outcome(self) -> Outcome:
        self.process.wait()
        result, lines = _json(_content(self.out)), _content(self.err).strip().splitlines()
        self.out.close()
        self.err.close()
        code = self.process.returncode
        if code < 0:
            return Outcome(128 - code, result, f"ended by {signal.Signals(-code).name}")
        error = result.get("error") or {}
        reason = str(error.get("message") or (lines[-1] if lines else f"exit code {code}"))
        return Outcome(code, result, reason if code else "")


class Local:
    """Carry out jobs on this machine.

    jobs: how many run concurrently.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = max(1, jobs)
        self._caught = 0

    def outcomes(self, jobs: Mapping[Key, Job], watch: Watch[Key]) -> Iterator[tuple[Key, Outcome]]:
        """Yield (key, outcome) of each job as it ends; see `Executor`.

        watch: called every 0.1 s.
        """
        waiting, running, self._caught = dict(jobs), dict[Key, _Child](), 0

        def forward(number: int, _frame: FrameType | None) -> None:
            self._caught = number
            for child in running.values():
                child.tell(number if number == signal.SIGINT else signal.SIGTERM)

        handled = machine.handled_signals(*_SIGNALS)
        before = {number: signal.signal(number, forward) for number in handled}
        try:
            while not self._caught and (waiting or running):
                self._start(waiting, running)
                time.sleep(_POLL)
                for key in watch({k: _standing(jobs[k]) for k in running}):
                    running[key].tell(signal.SIGTERM)
                for key in [k for k, c in running.items() if c.process.poll() is not None]:
                    yield key, running.pop(key).outcome()
        finally:
            self._end(running)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._caught:
            raise saved_by(self._caught)

    def _start(self, waiting: dict[Key, Job], running: dict[Key, _Child]) -> None:
        while waiting and len(running) < self._jobs and not self._caught:
            key = next(iter(waiting))
            running[key] = _started(waiting.pop(key))

    def _end(self, running: dict[Key, _Child]) -> None:
        """Wait for the running children, and kill those that do not stop."""
        if not self._caught:
            for child in running.values():
                child.tell(signal.SIGTERM)
        limit = time.monotonic() + _PATIENCE
        for child in running.values():
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, limit - time.monotonic()))
            child.kill()
            child.outcome()
        running.clear()


def _started(job: Job) -> _Child:
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [*machine.python(), "-m", "hundredfold", *job.arguments()],
        stdin=subprocess.DEVNULL,
        env=os.environ | job.variables() | {machine.PARENT: str(os.getpid())},
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
    return _Child(process, out, err)


def _standing(job: Job) -> Standing:
    return Standing(curve=tuple(Run(job.folder).curve))


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
