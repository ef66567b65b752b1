"""The PyTorch engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hundredfold.data import Source
from hundredfold.engines.pytorch import inference, job, on_features, timing
from hundredfold.engines.pytorch.inference import Opened
from hundredfold.engines.pytorch.job import Job
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.time_budget import StepTimes
from hundredfold.weights.locate import WeightsFile, resolve_weights


class PyTorch:
    """Train and open runs with PyTorch; see `training.protocols.Engine` for each method."""

    name = "pytorch"

    def resolve_weights(
        self, recipe: Recipe, source: Source, path: Path | None
    ) -> tuple[Recipe, WeightsFile | None]:
        return resolve_weights(recipe, source, path)

    def prepare(
        self,
        recipe: Recipe,
        options: Options,
        progress: Progress | None,
        weights: WeightsFile | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> Job:
        return job.prepare(recipe, options, progress, weights, before)

    def compute_features(self, job: Job, cache: Path, progress: Progress) -> Job:
        return on_features.compute_features(job, cache, progress)

    def feature_seconds(self, job: Job, cache: Path) -> float:
        return on_features.feature_seconds(job, cache)

    def dry_run(self, job: Job) -> Job:
        return on_features.dry_run(job)

    def step_times(self, job: Job) -> StepTimes:
        return timing.step_times(job)

    def open(self, run: Run, device: torch.device) -> Opened:
        return inference.open_model(run, device)


ENGINE = PyTorch()
