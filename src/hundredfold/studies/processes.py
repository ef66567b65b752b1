"""Run `hundredfold` commands as child processes, a few concurrently, without orphans."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any, Generic, TypeVar

from hundredfold import machine
from hundredfold.errors import Interrupted

Key = TypeVar("Key")

_POLL = 0.1  # seconds
_PATIENCE = 30.0  # seconds in which children save after a signal
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True)
class Outcome:
    """The exit code of a command, its JSON object, and the reason of a failure ("" if none)."""

    code: int
    result: dict[str, Any]
    reason: str


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


class Children(Generic[Key]):
    """Run `hundredfold` commands as child processes.

    commands:    key -> the arguments after `hundredfold`.
    jobs:        how many run concurrently.
    environment: additional environment variables of each.
    """

    def __init__(
        self,
        commands: Mapping[Key, Sequence[str]],
        jobs: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._waiting = list(commands.items())
        self._jobs = max(1, jobs)
        self._environment = dict(environment or {})
        self._running: dict[Key, _Child] = {}
        self._caught = 0

    def outcomes(self, watch: Callable[[tuple[Key, ...]], None]) -> Iterator[tuple[Key, Outcome]]:
        """Yield (key, outcome) of each command as it ends.

        watch: called every 0.1 s with the keys of the running commands.

        Raises Interrupted after SIGINT, SIGTERM or SIGHUP, once all children have ended.
        """
        handled = machine.handled_signals(*_SIGNALS)
        before = {number: signal.signal(number, self._forward) for number in handled}
        try:
            while not self._caught and (self._waiting or self._running):
                self._start()
                time.sleep(_POLL)
                watch(tuple(self._running))
                for key in [k for k, c in self._running.items() if c.process.poll() is not None]:
                    yield key, self._running.pop(key).outcome()
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._caught:
            raise Interrupted(
                "stopped; the state of every run is saved", signal_number=self._caught
            )

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._jobs and not self._caught:
            key, arguments = self._waiting.pop(0)
            out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
            process = subprocess.Popen(
                [*machine.python(), "-m", "hundredfold", *arguments],
                stdin=subprocess.DEVNULL,
                env=os.environ | self._environment | {machine.PARENT: str(os.getpid())},
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            self._running[key] = _Child(process, out, err)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._caught = number
        for child in self._running.values():
            child.tell(number if number == signal.SIGINT else signal.SIGTERM)

    def _end(self) -> None:
        """Wait for the running children, and kill those that do not stop."""
        if not self._caught:
            for child in self._running.values():
                child.tell(signal.SIGTERM)
        limit = time.monotonic() + _PATIENCE
        for child in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, limit - time.monotonic()))
            child.kill()
            child.outcome()
        self._running.clear()


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
