"""From a recipe to a job of this engine."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
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
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress, describe_data
from hundredfold.weights.locate import WeightsFile

_HERE = "hundredfold.engines.tensorflow"
_FITTED_ON = 10_000  # training images that the scaling is fitted on


class NoWatch(AbstractContextManager[None]):
    """Looks for no competing processes."""

    def look(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Job:
    """All that a recipe stands for, in memory; see `training.protocols.Job`.

    trained: the network, or its head where features are computed once.
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
        """Steps in all, as the recipe says."""
        return max(1, round(self.recipe.epochs * self.feed.steps))

    @property
    def compiled(self) -> bool:
        """A step is a graph of TensorFlow's."""
        return True

    @property
    def algorithms(self) -> Mapping[str, Any]:
        """TensorFlow chooses the algorithms of convolutions itself."""
        return {}

    def image_size(self, _progress: float) -> int:
        """Return the size in pixels at which images are trained on."""
        return self.data.size

    def watch(self, _progress: Progress, _remedy: str, *, adapts: bool) -> "NoWatch":  # noqa: ARG002
        """Return what looks for nothing: TensorFlow's threads do not tell how long they wait."""
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
            bound = optimizer(self.trained.trainable_variables)
        except ValueError as error:
            raise UsageError(f"invalid recipe: {self.recipe.optimizer}", found=str(error)) from None
        return Learner(self.network, self.trained, bound, schedule, self._exact())

    def _exact(self) -> Callable[[], Any] | None:
        if self.precision == "fp32":
            return None
        return lambda: build(self.recipe, len(self.data.classes), self.data.size)


def prepare(
    what: Recipe,
    options: Options,
    progress: Progress,
    file: WeightsFile | None = None,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the network and choose the precision, and report each choice.

    file: the weights that the recipe begins with, if any. before: run.json of a run to resume,
    whose precision is kept.
    """
    refuse(what)
    place, threads = device.choose(options.device, options.threads)  # before anything computes
    moves = _moves(what)
    found = data.load(what.data, options.source)
    training, validation = data.training(found, share=what.validation, seed=what.seed)
    training = data.limited(training, what.limit, what.seed)
    build_in = partial(build, what, len(found.classes), found.size)
    once = what.strategy.name == "linear_probe" and not moves
    chosen, why = _precision(what, before, once, build_in, training, options.source.cache)
    network = build_in(chosen)
    told = _start(what, network, training, options, file)
    counted = summary(network, found.size)
    progress.say(
        f"device     {place}, {threads} threads, TensorFlow {tf.__version__}; {chosen} ({why})"
    )
    describe_data(found, len(training), len(validation), progress)
    progress.say(
        f"model      {what.model}: {counted.parameters:,} parameters, "
        f"{counted.macs / 1e6:,.1f} M multiply-accumulates per image{told}"
    )
    trained = network
    if once:
        began = time.perf_counter()
        trained, training, validation = on_features(network, training, validation)
        progress.say(f"features   computed once in {wording.seconds(time.perf_counter() - began)}")
    feed = Feed(
        np.asarray(training.pixels)[training.indices],
        training.labels[training.indices],
        batch_size=what.batch_size,
        seed=what.seed,
        augment=moves,
    )
    folder = str(options.source.folder.absolute()) if options.source.folder else None
    return Job(
        what, found, training, validation, network, trained, counted, feed, place, threads,
        chosen, folder, {"weights": file.to_json()} if file else {},
    )  # fmt: skip


def _moves(what: Recipe) -> list[Any]:
    """Return what Keras' layers draw for the recipe's augmentation."""
    return [spec.resolve(str(part), f"{_HERE}.augment")() for part in what.augment]


def _precision(
    what: Recipe,
    before: Mapping[str, Any] | None,
    once: bool,
    build_in: Callable[..., Any],
    training: Split,
    cache: Path,
) -> tuple[str, str]:
    if before:
        return before["precision"], "as this run began"
    if once:
        return "fp32", "for features that are computed once"
    if what.precision != "auto":
        return what.precision, "as the recipe says"
    some = training.indices[: what.batch_size]
    batch = tf.constant(training.pixels[some]), tf.constant(training.labels[some])
    key = f"{what.model} {what.batch_size} {training.pixels.shape[1]}"
    return precision.choose(build_in, *batch, cache=cache, key=key)


def _start(
    what: Recipe, network: Any, training: Split, options: Options, file: WeightsFile | None
) -> str:
    """Give a network the weights of ImageNet, or the scaling of the training images."""
    if file:
        name, offline = what.model.options["name"], options.source.offline
        return f"; weights from {pretrained.load(network, name, file, offline=offline)}"
    rows = training.indices[:: max(1, len(training.indices) // _FITTED_ON)]
    network.get_layer("scale").fit(np.asarray(training.pixels)[rows])
    return ""
