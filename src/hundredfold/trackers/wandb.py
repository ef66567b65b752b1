"""Weights & Biases: offline in the run's folder, until `wandb sync runs/NAME/wandb/offline-*`.

WANDB_MODE=online sends every epoch at once; WANDB_PROJECT and WANDB_ENTITY say where to.
"""

import os
from collections.abc import Mapping
from typing import Any

from hundredfold.run import Run
from hundredfold.trackers._tracker import (
    PROJECT,
    identity,
    is_offline,
    numbers,
    score_numbers,
    settings,
)

NEEDS = ("wandb",)


class WeightsAndBiases:
    """A run of W&B; the x axis is the epoch."""

    def __init__(self, run: Run, first: int) -> None:
        import wandb

        mode = "offline" if is_offline() else os.environ.get("WANDB_MODE", "offline")
        self._folder = run.folder / "wandb"
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run.name,
            id=identity(run),
            resume="allow" if first > 1 else None,
            dir=str(run.folder),
            mode=mode,
            config=settings(run),
            reinit="create_new",
            settings=wandb.Settings(
                console="off",
                silent=True,
                symlink=False,  # a run never contains links
                disable_code=True,
                disable_git=True,
                x_disable_stats=True,
            ),
        )
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")

    def epoch(self, row: Mapping[str, float]) -> None:
        self._run.log({"epoch": int(row["epoch"]), **numbers(row)})

    def end(self, status: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
        self._run.summary.update(score_numbers(scores) | {"status": status})
        self._run.finish(exit_code=0 if status == "done" else 1)
        for path in self._folder.rglob("*"):  # its service links to a log of its own elsewhere
            if path.is_symlink():
                path.unlink()


def start(run: Run, first: int) -> WeightsAndBiases:
    """Begin to log a run. first: the epoch that comes next."""
    return WeightsAndBiases(run, first)
