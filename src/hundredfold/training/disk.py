"""Estimate the disk space of a run, and check that it is free."""

import shutil
from pathlib import Path

from hundredfold import machine, wording
from hundredfold.errors import CheckError
from hundredfold.training.checkpoint import KEPT
from hundredfold.training.protocols import Job, Learner

_COMMIT = 1 << 16  # bytes of a commit without the curve, at most
_EPOCH = 300  # bytes of an epoch's line in curve.jsonl, at most
_BESTS = 5  # files of weights: weights/best and last, two of saves, one being written


def save_bytes(learner: Learner, curve: str) -> int:
    """Return the bytes of one more save, at most: state, best weights, and `curve` twice."""
    return learner.state_bytes() + learner.weights_bytes() + _COMMIT + 2 * len(curve)


def run_bytes(job: Job, learner: Learner) -> int:
    """Return the bytes of a run's folder, at most: saves, weights, logits and curve."""
    logits = 4 * len(job.validation.indices) * len(job.data.classes)
    curve = int(_EPOCH * (job.recipe.epochs + 1)) * (KEPT + 2)
    saves = (KEPT + 1) * (learner.state_bytes() + _COMMIT)
    return saves + _BESTS * learner.weights_bytes() + logits + curve


def need_room(folder: Path, size: int, remedy: str) -> None:
    """Raise CheckError where the disk of a folder, made or not, has less than `size` bytes."""
    existing, _ = machine.nearest_folder(folder)
    free = shutil.disk_usage(existing).free
    if free < size:
        raise CheckError(
            f"there is not enough room on the disk of {str(folder)!r}",
            found=f"{wording.memory(free)} free, {wording.memory(size)} needed",
            remedy=remedy,
        )
