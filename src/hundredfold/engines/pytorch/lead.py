"""Process 0 of a training on several devices: it starts the others, and explains their end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from functools import cache
from typing import Any

import torch
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

import hundredfold
from hundredfold.compute import torchrun
from hundredfold.compute.process_group import LostProcess, ProcessGroup
from hundredfold.data import Source
from hundredfold.engines.pytorch.devices import of_rank
from hundredfold.engines.pytorch.feed import Feed
from hundredfold.engines.pytorch.launch import Workers
from hundredfold.engines.pytorch.orders import Leader
from hundredfold.errors import CheckError
from hundredfold.run import Run

FAILED, SPOKEN = "failed/", "spoken"  # keys of the store: why a rank failed; who says so
_EXPLAIN, _POLL = 3.0, 0.05  # seconds to wait for the reason of a failure


@contextmanager
def leading(run: Run, learner: Any, feed: Feed, source: Source) -> Iterator[None]:
    """Have the other processes of a training follow within this context.

    A learner that is no Leader trains alone. source: of the data, for processes that are started.
    Raises CheckError where a process is lost; the run can be resumed.
    """
    if not isinstance(learner, Leader):
        yield
        return
    placed = torchrun.rank()
    devices = [of_rank(learner.device.type, rank) for rank in range(learner.world)]
    with nullcontext(None) if placed else Workers(devices, source) as workers:
        store = workers.store if workers else torchrun_store()
        group = None
        try:
            group = workers.group() if workers else torchrun_group(learner.device)
            group.text(_facts(run, learner.world))
            group.ready()
            learner.join(group)
            feed.on_epoch = learner.begin_epoch
            yield
        except LostProcess as error:
            raise _explained(error, store, workers, run) from None
        finally:
            if group:
                _end(learner, group, workers)


def torchrun_store() -> Store:
    """Return the store where torchrun's processes meet, with keys of this training's own."""
    return PrefixStore("hundredfold", _rendezvous())


@cache
def _rendezvous() -> Store:
    store: Store
    store, _, _ = next(rendezvous("env://", timeout=timedelta(minutes=10)))
    return store


def torchrun_group(device: torch.device) -> ProcessGroup:
    """Return the group of torchrun's processes, of which this is one."""
    placed = torchrun.rank()
    assert placed is not None
    local = placed.local_world == placed.world
    return ProcessGroup(torchrun_store(), placed.rank, placed.world, device, local=local)


def _end(learner: Leader, group: ProcessGroup, workers: Workers | None) -> None:
    with suppress(LostProcess):
        if learner.end() and workers:
            workers.in_order = True
    group.close()


def _facts(run: Run, world: int) -> dict[str, Any]:
    """Return what another process needs of a run: its recipe, code and resolved settings."""
    files = [run.folder / "recipe.toml", *sorted((run.folder / "source").glob("*.py"))]
    return {
        "versions": versions(),
        "world": world,
        "info": run.info,
        "files": {
            str(path.relative_to(run.folder)): path.read_text(encoding="utf-8") for path in files
        },
    }


def versions() -> list[str]:
    """Return the versions that have to be equal in all processes."""
    return [hundredfold.__version__, torch.__version__]


def _explained(error: LostProcess, store: Store, workers: Workers | None, run: Run) -> CheckError:
    """Return the error with the rank and the reason, where they can be known in a few seconds."""
    with suppress(RuntimeError):
        store.set(SPOKEN, "0")
    limit, rank, reason = time.monotonic() + _EXPLAIN, 0, error.found or error.message
    while time.monotonic() < limit and not rank:
        rank, reason = _reason(store, workers) or (0, reason)
        time.sleep(_POLL)
    who = f"process {rank} of this training" if rank else "a process of this training"
    return CheckError(
        f"{who} has ended, so the training has stopped",
        found=reason,
        remedy=f"hundredfold train --resume {run.folder}",
    )


def _reason(store: Store, workers: Workers | None) -> tuple[int, str] | None:
    """Return the rank and the reason of a process that failed or was ended."""
    with suppress(RuntimeError):
        if store.check([f"{FAILED}reason"]):
            rank, _, reason = store.get(f"{FAILED}reason").decode().partition(" ")
            return int(rank), reason
    ended = workers.ended() if workers else {}
    return next(iter(ended.items()), None)
