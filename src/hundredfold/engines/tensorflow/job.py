"""Prepare the job of a recipe with TensorFlow."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hundredfold import data, spec, wording
from hundredfold.data import DataSet, Split
from hundredfold.engines.tensorflow import device, precision, pretrained
from hundredfold.engines.tensorflow._summary import summary
from hundredfold.engines.tensorflow.features import on_features
from hundredfold.engines.tensorflow.feed import Feed
from hundredfold.engines.tensorflow.learner import Learner
from hundredfold.engines.tensorflow.opening import build
from hundredfold.engines.tensorflow.refusals import refuse
from hundredfold.errors import UsageError
from hundredfold.models import Summary
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.size import Size
from hundredfold.strategies import Strategy
from hundredfold.training.options import Options
from hundredfold.training.position import total_steps
from hundredfold.training.progress import Progress, describe_data
from hundredfold.weights.locate import WeightsFile

_HERE = "hundredfold.engines.tensorflow"
_FITTED_ON = 10_000  # training images, approximately, that the scaling is fitted on
_FITTED_PIXELS = 20_000 * 32**2  # at most


class NoWatch(AbstractContextManager[None]):
    """A context that ignores competing processes."""

    def look(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Job:
    """Data, model and feed of a recipe; see `training.protocols.Job`.

    trained: the network, or only its head where features are computed once.
    """

    recipe: Recipe
    data: DataSet
    training: Split
    validation: Split
    network: Any
    trained: Any
    summary: Summary
    feed: Feed
    device_name: str
    threads: int
    precision: str
    folder: str | None
    transfer: Mapping[str, Any]

    @property
    def steps(self) -> int:
        """Total number of steps of the recipe."""
        return total_steps(self.recipe.epochs, self.feed.steps)

    @property
    def strategy(self) -> Strategy:
        """Settings of the recipe's strategy."""
        return self.recipe.strategy.resolve()()  # type: ignore[no-any-return]

    @property
    def devices(self) -> int:
        """Always 1."""
        return 1

    @property
    def compiled(self) -> bool:
        """Always true: a step is a graph of TensorFlow."""
        return True

    @property
    def algorithms(self) -> Mapping[str, Any]:
        """Always {}: TensorFlow chooses the algorithms of convolutions."""
        return {}

    def image_size(self, _progress: float) -> Size:
        """Return the size of training images."""
        return self.data.size

    def processes(self, _run: Run, _learner: Learner) -> AbstractContextManager[None]:
        """Return a context that does nothing: one process trains."""
        return nullcontext()

    def watch(self, _progress: Progress, _remedy: str, *, adapts: bool) -> "NoWatch":  # noqa: ARG002
        """Return a context that does nothing: waits of TensorFlow's threads are unknown."""
        return NoWatch()

    def learner(self, _progress: Progress) -> Learner:
        """Bind optimizer and schedule to the network."""
        return self.new_learner()

    def new_learner(self) -> Learner:
        """Bind optimizer and schedule to the network."""
        schedule = self.recipe.schedule.resolve()
        optimizer = spec.resolve(str(self.recipe.optimizer), f"{_HERE}.optimizers")
        schedule(0.0)
        try:
            bound_optimizer = optimizer(self.trained.trainable_variables)
        except ValueError as error:
            raise UsageError(f"invalid recipe: {self.recipe.optimizer}", found=str(error)) from None
        return Learner(self.network, self.trained, bound_optimizer, schedule, self._exact())

    def _exact(self) -> Callable[[], Any] | None:
        if self.precision == "fp32":
            return None
        return lambda: build(self.recipe, len(self.data.classes), self.data.size)


def prepare(
    recipe: Recipe,
    options: Options,
    progress: Progress,
    file: WeightsFile | None = None,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the network and choose the precision, and report each choice.

    file: of pretrained weights, if any. before: run.json of a run to resume, whose precision is
    kept.
    """
    refuse(recipe)
    # threads can be set only before TensorFlow computes
    device_name, threads = device.choose(options.device, options.threads)
    moves = _moves(recipe)
    dataset = data.load(recipe.data, options.source)
    training, validation = data.split(dataset, recipe)
    training = data.limited(training, recipe.limit, recipe.seed)
    build_in = partial(build, recipe, len(dataset.classes), dataset.size)
    features_once = recipe.strategy.name == "linear_probe" and not moves
    dtype, reason = _precision(
        recipe, before, features_once, build_in, training, options.source.cache
    )
    network = build_in(dtype)
    weights_note = _start(recipe, network, training, options, file)
    counts = summary(network, dataset.size)
    progress.say(
        f"device     {device_name}, {threads} threads, TensorFlow {tf.__version__}; "
        f"{dtype} ({reason})"
    )
    describe_data(dataset, training, validation, progress)
    progress.say(
        f"model      {recipe.model}: {counts.parameters:,} parameters, "
        f"{counts.macs / 1e6:,.1f} M multiply-accumulates per image{weights_note}"
    )
    trained = network
    if features_once:
        began = time.perf_counter()
        trained, training, validation = on_features(network, training, validation)
        progress.say(f"features   computed once in {wording.seconds(time.perf_counter() - began)}")
    feed = Feed(
        training.pixels,
        training.labels,
        training.indices,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        augment=moves,
    )
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    return Job(
        recipe, dataset, training, validation, network, trained, counts, feed, device_name, threads,
        dtype, folder, {"weights": file.to_json()} if file else {},
    )  # fmt: skip


def _moves(recipe: Recipe) -> list[Any]:
    """Return the moves of the recipe's augmentation."""
    return [spec.resolve(str(part), f"{_HERE}.augment")() for part in recipe.augment]


def _precision(
    recipe: Recipe,
    before: Mapping[str, Any] | None,
    features_once: bool,
    build_in: Callable[..., Any],
    training: Split,
    cache: Path,
) -> tuple[str, str]:
    if before:
        return before["precision"], "as this run began"
    if features_once:
        return "fp32", "for features that are computed once"
    if recipe.precision != "auto":
        return recipe.precision, "as the recipe says"
    rows = training.indices[: recipe.batch_size]
    batch = tf.constant(training.pixels[rows]), tf.constant(training.labels[rows])
    key = f"{recipe.model} {recipe.batch_size} {Size(*training.pixels.shape[1:3])}"
    return precision.choose(build_in, *batch, cache=cache, key=key)


def _start(
    recipe: Recipe, network: Any, training: Split, options: Options, file: WeightsFile | None
) -> str:
    """Load pretrained weights, or fit the scaling to training images; return a note for the log."""
    if file:
        name, offline = recipe.model.options["name"], options.source.offline
        return f"; weights from {pretrained.load(network, name, file, offline=offline)}"
    count, (height, width) = len(training.indices), training.pixels.shape[1:3]
    affordable = -(-count * height * width // _FITTED_PIXELS)
    rows = training.indices[:: max(1, count // _FITTED_ON, affordable)]
    network.get_layer("scale").fit(np.asarray(training.pixels[rows]))
    return ""
