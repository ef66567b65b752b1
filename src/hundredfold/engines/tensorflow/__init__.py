"""The TensorFlow engine (TensorFlow 2, Keras 3).

Loop, curve, early stopping, saves and run.json are those of `hundredfold.training`; this package
provides a job with a learner and a feed. TensorFlow is imported when a method is called.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from hundredfold.classifier import Classifier
from hundredfold.data import Source
from hundredfold.errors import MissingError, pip_install
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.protocols import Job
from hundredfold.training.time_budget import StepTimes
from hundredfold.weights.locate import WeightsFile


class TensorFlow:
    """Train and open runs with TensorFlow; see `training.protocols.Engine` for each method.

    Every method raises MissingError without TensorFlow.
    """

    name = "tensorflow"

    def resolve_weights(
        self, recipe: Recipe, source: Source, path: Path | None
    ) -> tuple[Recipe, WeightsFile | None]:
        from hundredfold.engines.tensorflow import pretrained

        return pretrained.resolve_weights(recipe, source, path)

    def prepare(
        self,
        recipe: Recipe,
        options: Options,
        progress: Progress,
        weights: WeightsFile | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> Job:
        _need()
        from hundredfold.engines.tensorflow import job

        return job.prepare(recipe, options, progress, weights, before)

    def compute_features(self, job: Job, _cache: Path, _progress: Progress) -> Job:
        return job  # `prepare` has computed them

    def feature_seconds(self, _job: Job, _cache: Path) -> float:
        return 0.0

    def dry_run(self, job: Job) -> Job:
        return job

    def step_times(self, job: Any) -> StepTimes:
        from hundredfold.engines.tensorflow import timing

        return timing.step_times(job)

    def open(self, run: Run, device: torch.device) -> Classifier:
        """Open a run; a network that PyTorch has too is computed there, on `device`."""
        from hundredfold.engines.pytorch import inference

        if inference.has_network(run):
            return inference.open_model(run, device)
        _need()
        from hundredfold.engines.tensorflow import opening

        return opening.open_model(run)


def _need() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides the library's informational messages
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if find_spec("tensorflow") is None or find_spec("keras") is None:
        raise MissingError(
            "TensorFlow is not installed",
            found="--engine tensorflow needs the extra 'tensorflow'",
            remedy=pip_install("tensorflow", "keras"),
        )


ENGINE = TensorFlow()
