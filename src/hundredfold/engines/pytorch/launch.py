"""Start the other processes of a training on this machine, and notice where one ends."""

import os
import pickle
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any

import torch
from torch._C._distributed_c10d import FileStore

from hundredfold import machine
from hundredfold.compute.process_group import LostProcess, ProcessGroup

MODULE = "hundredfold.engines.pytorch.follow"
STARTED = "started/"  # key of the store, with the rank of a process that can join
_POLL, _START = 0.05, 120.0  # seconds between looks; and until a process has loaded torch
_GENTLE, _HARD = 10.0, 1.0  # seconds that processes get to end, in order and after a failure


@dataclass(frozen=True)
class Beginning:
    """What a started process needs to know; it is pickled into its standard input.

    store: the file where processes meet. device: of that process. source: of the data.
    """

    store: str
    rank: int
    world: int
    device: str
    source: Any


class Workers:
    """Processes 1 to `len(devices)` - 1 of a training; a context that ends them.

    devices: of every process, the first of which is this one. source: of the data.
    """

    def __init__(self, devices: Sequence[torch.device], source: Any) -> None:
        self._devices, self._source = devices, source
        self._processes: list[subprocess.Popen[bytes]] = []
        self.in_order = False  # whether the processes have been told to end

    def __enter__(self) -> "Workers":
        self._folder = tempfile.TemporaryDirectory(prefix="hundredfold-")
        path = str(Path(self._folder.name) / "store")
        world = len(self._devices)
        self.store = FileStore(path, world)
        for rank in range(1, world):
            self._start(Beginning(path, rank, world, str(self._devices[rank]), self._source))
        return self

    def __exit__(self, *_: object) -> None:
        limit = time.monotonic() + (_GENTLE if self.in_order else _HARD)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, limit - time.monotonic()))
            process.kill()
            process.wait()
            if process.stdin:
                with suppress(OSError):
                    process.stdin.close()
        self._folder.cleanup()

    def _start(self, beginning: Beginning) -> None:
        process = subprocess.Popen(
            [*machine.python(), "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"TORCH_CPP_LOG_LEVEL": "ERROR"},
            start_new_session=True,  # Ctrl-C is for process 0, which tells the others
        )
        self._processes.append(process)
        content = pickle.dumps(beginning)
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which is noticed below
            process.stdin.write(len(content).to_bytes(8, "little") + content)
            process.stdin.flush()

    def group(self) -> ProcessGroup:
        """Wait for the processes and return the group. Raises LostProcess where one ends."""
        keys = [f"{STARTED}{rank}" for rank in range(1, len(self._devices))]
        limit = time.monotonic() + _START
        while not self.store.check(keys):
            if self.ended() or time.monotonic() > limit:
                raise LostProcess("a process of this training did not start")
            time.sleep(_POLL)
        return ProcessGroup(self.store, 0, len(self._devices), self._devices[0])

    def ended(self) -> dict[int, str]:
        """Return rank -> how it ended, of the processes that have ended."""
        codes = {rank: p.poll() for rank, p in enumerate(self._processes, start=1)}
        return {rank: _manner(code) for rank, code in codes.items() if code is not None}


def _manner(code: int) -> str:
    return f"it was ended by {Signals(-code).name}" if code < 0 else f"its exit code is {code}"
