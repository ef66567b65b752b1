"""Protocols of an engine: a job with a learner and a feed.

Engines are in `hundredfold.engines`; none is imported here. Engines return weights and sums as
torch tensors, with PyTorch's names and layouts, so one code writes saves and runs.
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
from hundredfold.data import DataSet, Pixels, Source, Split
from hundredfold.models import Summary
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.size import Size
from hundredfold.strategies import Strategy
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.time_budget import StepTimes
from hundredfold.weights.locate import WeightsFile


class Learner(Protocol):
    """A model with its optimizer.

    device: of the sums that `step` returns. rates: learning rates before the schedule.
    micro_batch: images per forward pass; 0 is the engine's choice.
    """

    device: torch.device
    rates: list[float]
    micro_batch: int

    def step(self, images: Any, targets: Any, progress: float, key: int) -> Tensor:
        """Train on one batch; return [mean loss, number correct], float64 on a CPU, else float32.

        progress: fraction of all steps that are done, in [0, 1]. key: seed of the step's random
        numbers.
        """
        ...

    def shared_threads(self, batch_size: int) -> int:
        """Return the CPU threads per operation of a step; 1 where threads do not wait."""
        ...

    def rate(self, progress: float) -> float:
        """Return the learning rate at a progress in [0, 1]."""
        ...

    def logits(self, pixels: Pixels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (len(indices), classes) in the precision of training."""
        ...

    def final(
        self, weights: Mapping[str, Tensor], pixels: Pixels, indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return fp32 logits (len(indices), classes) of a model with these weights."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are scored and kept."""
        ...

    def weights_bytes(self) -> int:
        """Return the size of a file with `weights`, in bytes."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return the state that a step changes, by name."""
        ...

    def state_bytes(self) -> int:
        """Return the size of a file with `tensors` after the first step, in bytes."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the state that `tensors` returned."""
        ...


class Feed(Protocol):
    """Shuffled, augmented, full batches; a context that ends its threads.

    steps: batches per epoch. waited: seconds that the consumer has waited for batches.
    """

    steps: int
    waited: float

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of an epoch (from 0), from batch `start` on."""
        ...

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: object) -> None: ...


class Job(Protocol):
    """Data, model and feed of a recipe on the device."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def strategy(self) -> Strategy: ...
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
    def devices(self) -> int: ...
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

    def image_size(self, progress: float) -> Size:
        """Return the size of training images at a progress in [0, 1)."""
        ...

    def learner(self, progress: Progress) -> Learner:
        """Bind loss, optimizer and schedule to the model. Raises UsageError."""
        ...

    def processes(self, run: Run, learner: Any) -> AbstractContextManager[Any]:
        """Return the context in which other processes of this training follow its learner."""
        ...

    def watch(self, progress: Progress, remedy: str, *, adapts: bool) -> "Watch":
        """Return the context that limits threads beside competing processes."""
        ...


class Watch(AbstractContextManager[Any], Protocol):
    """A context that limits threads beside competing processes; `look` checks for these."""

    def look(self) -> None: ...


class Engine(Protocol):
    """An engine; `name` is the value of a recipe's `engine`."""

    name: str

    def resolve_weights(
        self, recipe: Recipe, source: Source, path: Path | None
    ) -> tuple[Recipe, WeightsFile | None]:
        """Return the recipe with its weights pinned by digest, and their file; None without.

        path: a file or folder with the weights that the recipe names. Raises MissingError.
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
        """Prepare the job of a recipe.

        weights: the file of pretrained weights. before: run.json of a run to resume.
        """
        ...

    def compute_features(self, job: Any, cache: Path, progress: Progress) -> Any:
        """Compute the features that the loop needs, if any, and return the job."""
        ...

    def feature_seconds(self, job: Any, cache: Path) -> float:
        """Estimate the seconds that `compute_features` takes."""
        ...

    def dry_run(self, job: Any) -> Any:
        """Return a job with zeros in place of the features that its loop needs."""
        ...

    def step_times(self, job: Any) -> StepTimes:
        """Time some steps of a job."""
        ...

    def open(self, run: Run, device: torch.device) -> Classifier:
        """Build a run's network with its best weights."""
        ...
