"""What run.json says: how a run came about, what it cost, how it ended."""

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import hundredfold
from hundredfold import machine

if TYPE_CHECKING:
    from hundredfold.training.fit import Fit

_LIBRARIES = ("torch", "numpy", "pillow", "safetensors")
_ENGINE = ("tensorflow", "keras")  # where they compute; tensorflow-cpu is the same module


def start(name: str, digest: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return run.json as it stands before training begins."""
    return {
        "status": "stopped",
        "reason": "it has not begun",
        "name": name,
        "recipe_digest": digest,
        "started": _now(),
        **facts,
        "versions": {
            "hundredfold": hundredfold.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
            **{name: sys.modules[name].__version__ for name in _ENGINE if name in sys.modules},
        },
        "machine": platform.platform(),
        "git": _git(),
        "command": shlex.join(["hundredfold", *sys.argv[1:]]),
        "test_looks": 0,
    }


def end(fit: "Fit", status: str, reason: str) -> dict[str, Any]:
    """Return what changes in run.json when training ends, however it ends."""
    position = fit.position
    seconds = max(position.seconds, 1e-9)
    return {
        "status": status,
        "reason": reason,
        "finished": _now(),
        "best_epoch": fit.best.epoch,
        "epochs": position.epoch,
        "steps": min(fit.done(), position.steps),
        "micro_batch": fit.learner.micro_batch,
        "seconds": round(position.seconds, 3),
        "images_per_second": round(fit.speed(), 1),
        "waiting_share": round(position.waited / seconds, 4),
        "saving_share": round(position.saving / seconds, 4),
        "peak_memory_bytes": machine.peak_memory(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git() -> dict[str, Any] | None:
    """Return commit and cleanness of the folder the command runs in, if git knows it."""
    try:
        commit = _ask("git", "rev-parse", "HEAD")
        changed = _ask("git", "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
