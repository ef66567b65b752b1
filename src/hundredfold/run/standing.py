"""Where a training stands, read from its folder alone: also in a copy that rsync brings.

A lock tells only of writers on this machine. So while a training runs, run.json names its process.
In a copy, the process lives on another machine, or on this one with the lock of another folder.
"""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hundredfold import wording
from hundredfold.run import plain, reading, schema
from hundredfold.run._folder import Run

_FILES = ("run.json", "curve.jsonl", "log.txt", "scores.json")
_ACCURACY, _LOSS = "validation.top_1", "validation.loss"


@dataclass(frozen=True)
class Standing:
    """How far a training is.

    status:  "waiting" (no folder yet), "running", or that of run.json once it has ended.
    reason:  of the end; while running, where it runs if that is elsewhere, or "".
    epoch, epochs: finished ones, and all that are planned; the end may come earlier.
    seconds: of training. remaining: estimated seconds, None where unknown.
    accuracy, loss, best: on the validation images, else on the training images; NaN without any.
    """

    name: str
    status: str
    reason: str = ""
    epoch: int = 0
    epochs: float = 0.0
    seconds: float = 0.0
    remaining: float | None = None
    accuracy: float = math.nan
    loss: float = math.nan
    best: float = math.nan

    @property
    def ended(self) -> bool:
        return self.status not in ("running", "waiting")

    @property
    def progress(self) -> float:
        """The fraction of the training that is done, in [0, 1]."""
        if self.status == "done":
            return 1.0
        return min(1.0, self.epoch / self.epochs) if self.epochs else 0.0

    def __str__(self) -> str:
        parts = [f"epoch {self.epoch}/{math.ceil(self.epochs)}"] if self.epochs else []
        if math.isfinite(self.accuracy):
            parts.append(f"top-1 {self.accuracy:.2%}, best {self.best:.2%}")
        if math.isfinite(self.loss):
            parts.append(f"loss {self.loss:.4f}")
        if self.remaining is not None:
            parts.append(f"left {wording.seconds(self.remaining)}")
        state = self.status + (f" ({self.reason})" if self.reason else "")
        return "  ".join([state, *parts])


def standing(run: Run) -> Standing:
    """Return where the training of a folder stands. Raises DataError for a damaged file."""
    name = run.folder.name
    if not plain.exists(run.folder / "run.json"):
        return Standing(name, "waiting")
    info = reading.table(run.folder, "run.json", schema.Info)
    status, reason = state(run.folder, info)
    epochs = float((info.get("resolved") or {}).get("epochs") or run.stated[1].get("epochs") or 0)
    now = of_curve(name, run.curve, epochs, status, reason)
    if status == "running" or not info.get("seconds"):
        return now
    return replace(now, seconds=float(info["seconds"]))


def of_curve(
    name: str, curve: Sequence[Mapping[str, Any]], epochs: float, status: str, reason: str
) -> Standing:
    """Return where a training with this curve stands; epochs: all that are planned."""
    last = curve[-1] if curve else {}
    epoch, seconds = int(last.get("epoch", 0)), float(last.get("seconds") or 0.0)
    split = "validation" if _ACCURACY in last else "train"
    accuracies = [row[f"{split}.top_1"] for row in curve if _finite(row.get(f"{split}.top_1"))]
    running = status == "running" and epoch > 0 and epochs > epoch
    return Standing(
        name,
        status,
        reason,
        epoch,
        epochs,
        seconds,
        seconds / epoch * (epochs - epoch) if running else None,
        accuracies[-1] if accuracies else math.nan,
        float(last[f"{split}.loss"]) if _finite(last.get(f"{split}.loss")) else math.nan,
        max(accuracies, default=math.nan),
    )


def state(folder: Path, info: Mapping[str, Any]) -> tuple[str, str]:
    """Return status and reason of run.json or plan.json of a folder, as they are now.

    A status of "running" counts while the lock of the folder is held, or while its process may be
    alive elsewhere; then the reason is the machine.
    """
    status, reason = str(info["status"]), str(info.get("reason") or "")
    if Run(folder).is_written and status != "done":
        return "running", ""
    if status != "running":
        return status, reason
    process = info.get("writer") or {}
    host, pid = process.get("host", ""), int(process.get("pid") or 0)
    if host and host != platform.node():
        return "running", f"on {host}"
    import psutil  # which needs much of a system

    if host and psutil.pid_exists(pid):  # this is a copy of the folder that it writes
        return "running", "elsewhere on this machine"
    return "stopped", "process gone"


def writer() -> dict[str, Any]:
    """Return this process for run.json: its machine and its number."""
    return {"host": platform.node(), "pid": os.getpid()}


def changed(folder: Path, names: tuple[str, ...] = _FILES) -> tuple[tuple[int, int], ...]:
    """Return time and size of files of a folder, which differ once one has changed."""
    about = []
    for name in names:
        try:
            stat = (folder / name).lstat()
            about.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            about.append((0, 0))
    return tuple(about)


def _finite(value: Any) -> bool:
    return wording.finite(value)
