"""The facts of run.json: origin, cost and end of a run."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hundredfold
from hundredfold.recipe import Recipe
from hundredfold.training.protocols import Job
from hundredfold.training.resolve import resolved_facts

_LIBRARIES = ("torch", "numpy", "pillow", "safetensors")
_ENGINE = ("tensorflow", "keras")  # if imported; tensorflow-cpu is the same module


def start(name: str, job: Job, recipe: Recipe, command: str) -> dict[str, Any]:
    """Return run.json before training begins.

    recipe: as written. command: of the training; "" is this process' command line.
    """
    return {
        "status": "stopped",
        "reason": "it has not begun",
        "name": name,
        **resolved_facts(recipe, job),
        "started": now(),
        **job_facts(job),
        "versions": {
            "hundredfold": hundredfold.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
            **{name: sys.modules[name].__version__ for name in _ENGINE if name in sys.modules},
        },
        "machine": platform.platform(),
        "git": _git(Path(hundredfold.__file__).resolve().parent),
        "command": command or shlex.join(["hundredfold", *sys.argv[1:]]),
        "test_evaluations": 0,
    }


def job_facts(job: Job) -> dict[str, Any]:
    """Return the facts of a job before its first step."""
    dataset = job.data
    return {
        "parameters": job.summary.parameters,
        "macs": job.summary.macs,
        "device": job.device_name,
        "threads": job.threads,
        "devices": job.devices,
        "precision": job.precision,
        "algorithms": dict(job.algorithms),
        "compiled": job.compiled,
        "steps_per_epoch": job.feed.steps,
        **job.transfer,
        "data": {
            "name": dataset.name,
            "digest": dataset.digest,
            "classes": list(dataset.classes),
            "superclasses": list(dataset.superclasses),
            "superclass_of": list(dataset.superclass_of),
            "size": dataset.size.plain,
            "folder": None if dataset.bundled else job.folder,
            **dataset.paths,
            "train": len(job.training.indices),
            "validation": len(job.validation.indices),
        },
    }


def now() -> str:
    """Return the time in UTC as text, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(package: Path) -> dict[str, Any] | None:
    """Return commit and cleanness of the checkout that holds the package; None without one.

    A checkout that contains an environment with the installed package does not count.
    """
    try:
        root = Path(_ask(package, "git", "rev-parse", "--show-toplevel"))
        if not package.is_relative_to(root / "src"):
            return None
        commit = _ask(package, "git", "rev-parse", "HEAD")
        changed = _ask(package, "git", "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _ask(folder: Path, *command: str) -> str:
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("GIT_")
    }  # set by git hooks
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=5, check=True, cwd=folder, env=environment
    )
    return process.stdout.strip()
