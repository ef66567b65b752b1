"""What the training loop asks of an engine: a job with a learner and a feed.

Engines are in `hundredfold.engines`, and none is imported here. Weights and sums go from
engine to loop as torch tensors, by our names and in PyTorch's layouts, so that one code
writes saves and runs.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold.classifier import Classifier
from hundredfold.data import DataSet, Source, Split
from hundredfold.models import Summary
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.time_budget import StepTimes
from hundredfold.weights.locate import WeightsFile


class Learner(Protocol):
    """A model with what trains it.

    device: where `step` leaves its sums. rates: learning rates before the schedule.
    micro_batch: images per forward pass; 0 is the engine's choice.
    """

    device: torch.device
    rates: list[float]
    micro_batch: int

    def step(self, images: Any, targets: Any, progress: float, key: int) -> Tensor:
        """Train on one batch; return [mean loss, number correct], float64 on a CPU, else float32.

        progress: share of all steps that is done, in [0, 1]. key: seeds what the step draws.
        """
        ...

    def shared_threads(self, batch_size: int) -> int:
        """Return how many CPU threads work on each operation of a step; 1 where none wait."""
        ...

    def rate(self, progress: float) -> float:
        """Return the learning rate at that progress."""
        ...

    def logits(self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (len(indices), classes) in the precision of training."""
        ...

    def final(
        self, weights: Mapping[str, Tensor], pixels: NDArray[np.uint8], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) by these weights."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are scored and kept."""
        ...

    def weights_bytes(self) -> int:
        """Return the size of a file with `weights`."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return everything a step changes, by name."""
        ...

    def state_bytes(self) -> int:
        """Return the size of a file with `tensors`, as it is after the first step."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to where `tensors` were taken."""
        ...


class Feed(Protocol):
    """Shuffled, augmented, full batches; a context that ends what it started.

    steps: batches an epoch. waited: seconds that the consumer has waited for batches.
    """

    steps: int
    waited: float

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of an epoch (from 0), from batch `start` on."""
        ...

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: object) -> None: ...


class Job(Protocol):
    """All that a recipe stands for, in memory and on the device."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def data(self) -> DataSet: ...
    @property
    def training(self) -> Split: ...
    @property
    def validation(self) -> Split: ...
    @property
    def summary(self) -> Summary: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def device_name(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def precision(self) -> str: ...
    @property
    def algorithms(self) -> Mapping[str, Any]: ...
    @property
    def compiled(self) -> bool: ...
    @property
    def folder(self) -> str | None: ...
    @property
    def transfer(self) -> Mapping[str, Any]: ...
    @property
    def steps(self) -> int: ...

    def image_size(self, progress: float) -> int:
        """Return the size in pixels at which images are trained on at that progress."""
        ...

    def learner(self, progress: Progress) -> Learner:
        """Bind loss, optimizer and schedule to the model. Raises UsageError."""
        ...

    def watch(self, progress: Progress, remedy: str, *, adapts: bool) -> "Watch":
        """Return what looks for competing processes while the job trains."""
        ...


class Watch(AbstractContextManager[Any], Protocol):
    """Looks now and then at other processes that take CPU time, and acts on it."""

    def look(self) -> None: ...


class Engine(Protocol):
    """What computes. `name` is what a recipe's `engine` says."""

    name: str

    def resolve_weights(
        self, recipe: Recipe, source: Source, place: Path | None
    ) -> tuple[Recipe, WeightsFile | None]:
        """Return the recipe with its weights pinned, and their file; None without weights.

        place: where weights lie that the recipe names by what they are. Raises MissingError.
        """
        ...

    def prepare(
        self,
        recipe: Recipe,
        options: Options,
        progress: Progress | None,
        weights: WeightsFile | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> Any:
        """Make a recipe's job.

        weights: what it begins with, if any. before: choices already made, as in run.json.
        """
        ...

    def compute_features(self, job: Any, cache: Path, progress: Progress) -> Any:
        """Return a job with the features that its loop needs, if any."""
        ...

    def feature_seconds(self, job: Any, cache: Path) -> float:
        """Estimate the seconds that `compute_features` takes."""
        ...

    def dry_run(self, job: Any) -> Any:
        """Return a job with zeros for the features that its loop needs."""
        ...

    def step_times(self, job: Any) -> StepTimes:
        """Time some of a job's steps."""
        ...

    def open(self, run: Run, device: torch.device) -> Classifier:
        """Build a run's network with its best weights."""
        ...
