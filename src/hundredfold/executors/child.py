"""A `hundredfold` command as a child process, which saves and ends with its parent."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO

from hundredfold import machine
from hundredfold.executors.protocol import Outcome

PATIENCE = 30.0  # seconds in which a child saves after a signal
PROGRAM = ("-m", "hundredfold")


@dataclass
class Child:
    """A running command, and the files that hold what it prints."""

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

    def end(self, patience: float = PATIENCE) -> Outcome:
        """Wait so many seconds for the child to end, then kill it."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, patience))
        self.kill()
        return self.outcome()

    def outcome(self) -> Outcome:
        """Wait for the child to end, and return its outcome."""
        self.process.wait()
        out, err = _content(self.out), _content(self.err)
        self.out.close()
        self.err.close()
        code = self.process.returncode
        if code >= 0:
            return Outcome.of_output(code, out, err)
        ended = Outcome.of_output(128 - code, out, err)
        return replace(ended, reason=f"ended by {signal.Signals(-code).name}")


def start(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    program: Sequence[str] = PROGRAM,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start a command.

    variables: in addition to `environment`, by default that of this process. program: what Python
    runs.
    """
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    before = os.environ if environment is None else environment
    process = subprocess.Popen(
        [*machine.python(), *program, *arguments],
        stdin=subprocess.DEVNULL,
        env={**before, **variables, machine.PARENT: str(os.getpid())},
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
    return Child(process, out, err)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
