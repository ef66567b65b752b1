"""Another process of a training: it follows process 0, and writes and prints nothing.

`python -m hundredfold.engines.pytorch.follow` is started by process 0 (`launch.py`). Under torchrun
the command itself is every process, and all but process 0 come here.
"""

import hashlib
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C._distributed_c10d import FileStore, Store

from hundredfold import data, run
from hundredfold.compute import torchrun
from hundredfold.compute.process_group import LostProcess, ProcessGroup
from hundredfold.data import Source
from hundredfold.engines.pytorch import devices, on_features
from hundredfold.engines.pytorch import job as jobs
from hundredfold.engines.pytorch.job import Job
from hundredfold.engines.pytorch.launch import STARTED, Beginning
from hundredfold.engines.pytorch.lead import (
    FAILED,
    SPOKEN,
    torchrun_group,
    torchrun_store,
    versions,
)
from hundredfold.engines.pytorch.orders import Ended, Follower, Order
from hundredfold.errors import CheckError, DataError, HundredfoldError, UsageError
from hundredfold.training import resolve
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.weights.locate import resolve_weights

_GRACE = 10.0  # seconds in which a process ends by itself after process 0 has gone
_SPEAKS = 5.0  # seconds in which process 0 says that a process is lost, if it lives


def follow_torchrun(source: Source, device: str) -> int:
    """Follow process 0 of torchrun's processes to the end; return the exit code.

    device: as in `Options`.
    """
    placed = torchrun.rank()
    assert placed is not None
    for number in (signal.SIGINT, signal.SIGTERM):  # torchrun ends those that wait for process 0
        signal.signal(number, signal.SIG_DFL)
    return _follow(
        torchrun_store(),
        lambda: torchrun_group(devices.of_rank(device, placed.local_rank)),
        source,
    )


def main() -> int:
    """Follow the process that has started this one; return the exit code."""
    warnings.simplefilter("ignore")  # process 0 says them
    stream = sys.stdin.buffer
    length = int.from_bytes(stream.read(8), "little")
    beginning: Beginning = pickle.loads(stream.read(length))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    store = FileStore(beginning.store, beginning.world)
    place = beginning.rank, beginning.world, torch.device(beginning.device)
    store.set(f"{STARTED}{beginning.rank}", "")
    return _follow(store, lambda: ProcessGroup(store, *place), beginning.source)


def _end_with_parent() -> None:
    """End this process some seconds after its parent has ended, by whatever means."""
    while os.read(0, 1024):
        pass
    time.sleep(_GRACE)
    os._exit(CheckError.exit_code)


def _follow(store: Store, connect: Callable[[], ProcessGroup], source: Source) -> int:
    group = None
    try:
        group = connect()
        for number in (signal.SIGINT, signal.SIGTERM):  # process 0 decides, and tells the others
            signal.signal(number, signal.SIG_IGN)
        _train(group, source)
    except Ended:
        return 0
    except LostProcess as error:
        _speak(store, error)
    except Exception as error:  # process 0 reports it
        _report(store, group, error)
    finally:
        if group is not None:  # its threads must have ended when Python does
            group.close()
    return CheckError.exit_code


def _train(group: ProcessGroup, source: Source) -> None:
    """Prepare the job that process 0 describes, and compute steps until it ends."""
    facts = group.text()
    if facts["versions"] != versions():
        raise UsageError(
            f"a process has other versions of hundredfold and torch: {versions()}",
            found=f"process 0 has {facts['versions']}",
        )
    with tempfile.TemporaryDirectory(prefix="hundredfold-") as folder:
        job = _prepared(_written(Path(folder), facts["files"]), facts, group.device, source)
    learner = job.new_learner(kind=Follower)
    assert isinstance(learner, Follower)
    group.ready()
    learner.join(group)
    with job.feed:
        _obey(job, learner)


def _obey(job: Job, learner: Follower) -> None:
    batches: Iterator[tuple[Tensor, Tensor]] = iter(())
    while True:
        message = learner.hear()
        if message.order == Order.STATE:
            learner.load(learner.group.tensors({}))
        elif message.order == Order.EPOCH:
            batches = job.feed.epoch(*message.numbers[:2])
        elif message.order == Order.STEP:
            learner.follow_step(next(batches), message)


def _written(folder: Path, files: dict[str, str]) -> run.Run:
    """Write the recipe and its code, and return them as a run that may execute that code."""
    digests = set()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
        digests.add(hashlib.sha256(text.encode()).hexdigest())
    return run.Run(folder, frozenset(digests))


def _prepared(begun: run.Run, facts: dict[str, Any], device: torch.device, source: Source) -> Job:
    info = facts["info"]
    recipe, source = begun.recipe, source.as_before(info["data"])
    file = (info.get("weights") or {}).get("file")
    _, weights = resolve_weights(recipe, source, Path(file) if file else None)
    options = Options(
        source, device=str(device), threads=int(info["threads"]), following=facts["world"]
    )
    job = jobs.prepare(resolve.as_resolved(recipe, info), options, None, weights, info)
    data.refuse_folder(job.data, source)
    if job.data.digest != info["data"]["digest"]:
        raise DataError(
            "the data of a process are not those of process 0",
            found=f"digest {job.data.digest[:12]} instead of {info['data']['digest'][:12]}",
        )
    return on_features.compute_features(job, source.cache, Progress())


def _report(store: Store, group: ProcessGroup | None, error: Exception) -> None:
    """Leave the reason of a failure for process 0, or say it where there is no connection."""
    own = isinstance(error, HundredfoldError)
    text = error.message if isinstance(error, HundredfoldError) else " ".join(str(error).split())
    found = f": {error.found}" if isinstance(error, HundredfoldError) and error.found else ""
    kind = "" if own else f"{type(error).__name__}: "
    if group is None:
        sys.stderr.write(f"error: a process cannot join the training: {kind}{text}{found}\n")
        return
    with suppress(RuntimeError):
        store.set(f"{FAILED}reason", f"{group.rank} {kind}{text}{found}")


def _speak(store: Store, error: LostProcess) -> None:
    """Say that a process is lost, if process 0 does not: one of the others does."""
    limit = time.monotonic() + _SPEAKS
    with suppress(RuntimeError):
        while time.monotonic() < limit:
            if store.check([SPOKEN]):
                return
            time.sleep(0.1)
        if store.add("speakers", 1) > 1:
            return
    sys.stderr.write(f"error: {error.message}: process 0 is lost; the run can be resumed\n")


if __name__ == "__main__":
    sys.exit(main())
