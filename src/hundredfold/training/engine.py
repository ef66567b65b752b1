"""What an engine gives to the loop: a job with a learner and a feed.

PyTorch's are `job.Job`, `learner.Learner` and `feed.Feed`; TensorFlow's are in
`hundredfold.tensorflow`. Weights and sums go from engine to loop as torch tensors, by our
names and in PyTorch's layouts, so that one code writes saves and runs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold.data import DataSet, Split
from hundredfold.models import Summary
from hundredfold.recipe import Recipe
from hundredfold.training import frozen
from hundredfold.training.job import Options, prepare
from hundredfold.training.pace import Pace, measure
from hundredfold.training.progress import Progress


class Learner(Protocol):
    """A model with what trains it; see `learner.Learner` for what each method does.

    device: where `step` leaves its sums. rates: the learning rates before the schedule.
    """

    device: torch.device
    rates: list[float]
    micro_batch: int

    def step(self, images: Any, targets: Any, progress: float, key: int) -> Tensor: ...

    def rate(self, progress: float) -> float: ...

    def logits(
        self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]: ...

    def final(
        self,
        weights: Mapping[str, Tensor],
        pixels: NDArray[np.uint8],
        indices: NDArray[np.int64],
    ) -> NDArray[np.float32]: ...

    def weights(self) -> dict[str, Tensor]: ...

    def tensors(self) -> dict[str, Tensor]: ...

    def load(self, tensors: Mapping[str, Tensor]) -> None: ...


class Feed(Protocol):
    """Shuffled, augmented batches; see `feed.Feed`."""

    steps: int
    waited: float

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Job(Protocol):
    """All that a recipe stands for, in memory; see `job.Job`."""

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
    def forms(self) -> Mapping[str, Any]: ...
    @property
    def compiled(self) -> bool: ...
    @property
    def folder(self) -> str | None: ...
    @property
    def transfer(self) -> Mapping[str, Any]: ...
    @property
    def steps(self) -> int: ...

    def learner(self) -> Learner: ...


class Prepare(Protocol):
    """Make a recipe's job; `before` holds choices that are made already, as in run.json."""

    def __call__(
        self,
        what: Recipe,
        options: Options,
        progress: Progress,
        before: Mapping[str, Any] | None = None,
    ) -> Job: ...


@dataclass(frozen=True)
class Engine:
    """What computes.

    prepare: makes a job. ready: computes what its loop needs besides, such as features of a
    frozen backbone; rehearse: pretends to; takes: the seconds that it would take.
    measure: times some of a job's steps.
    """

    prepare: Prepare
    measure: Callable[[Any], Pace]
    ready: Callable[[Any, Path, Progress], Any] = lambda job, _cache, _progress: job
    rehearse: Callable[[Any], Any] = lambda job: job
    takes: Callable[[Any, Path], float] = lambda _job, _cache: 0.0


PYTORCH = Engine(prepare, measure, frozen.prepared, frozen.rehearsed, frozen.takes)
