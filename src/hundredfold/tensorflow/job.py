"""From a recipe to a job of this engine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from hundredfold import call, data, recipe, wording
from hundredfold.data import DataSet, Split
from hundredfold.errors import UsageError
from hundredfold.models import Summary
from hundredfold.recipe import Recipe
from hundredfold.tensorflow import device, precision, pretrained
from hundredfold.tensorflow._summary import summary
from hundredfold.tensorflow.features import on_features
from hundredfold.tensorflow.feed import Feed
from hundredfold.tensorflow.learner import Learner
from hundredfold.tensorflow.opening import build
from hundredfold.tensorflow.refusals import refuse
from hundredfold.training.job import Options, limited
from hundredfold.training.pace import Pace
from hundredfold.training.progress import Progress

_HERE = "hundredfold.tensorflow"
_FITTED_ON = 10_000  # training images that the scaling is fitted on
_STEPS = 10  # that are measured


@dataclass(frozen=True)
class Job:
    """All that a recipe stands for, in memory; see `training.job.Job`."""

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

    @property
    def steps(self) -> int:
        """Steps in all, as the recipe says."""
        return max(1, round(self.recipe.epochs * self.feed.steps))

    @property
    def compiled(self) -> bool:
        """A step is a graph of TensorFlow's."""
        return True

    @property
    def forms(self) -> Mapping[str, Any]:
        """TensorFlow chooses the forms of convolutions itself."""
        return {}

    @property
    def transfer(self) -> Mapping[str, Any]:
        """What run.json says of a `transfer`, which is a model of PyTorch's."""
        return {}

    def learner(self) -> Learner:
        """Bind optimizer and schedule to the network."""
        what = self.recipe
        schedule = call.resolve(call.parse(what.schedule), recipe.PACKAGES["schedule"])
        optimizer = call.resolve(call.parse(what.optimizer), f"{_HERE}.optimizers")
        schedule(0.0)
        try:
            bound = optimizer(self.trained.trainable_variables)
        except ValueError as error:
            raise UsageError(f"{what.optimizer} will not do", found=str(error)) from None
        return Learner(self.network, self.trained, bound, schedule, self._exact())

    def _exact(self) -> Callable[[], Any] | None:
        if self.precision == "fp32":
            return None
        what, classes = self.recipe, len(self.data.classes)
        return lambda: build(what.model, classes, self.data.size, what.seed)


def prepare(
    what: Recipe,
    options: Options,
    progress: Progress,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Open the data, build the network and choose the precision, saying each aloud.

    before: run.json of a run to resume, whose precision is kept.
    """
    refuse(what)
    place, threads = device.choose(options.device, options.threads)  # before anything computes
    moves = _moves(what)
    found = data.load(what.data, options.source)
    training, validation = data.training(found, share=what.validation, seed=what.seed)
    training = limited(training, what.limit, what.seed)
    build_in = partial(build, what.model, len(found.classes), found.size, what.seed)
    once = bool(call.parse(what.model).options.get("frozen")) and not moves
    chosen, why = _precision(what, before, once, build_in, training)
    network = build_in(chosen)
    told = _start(what, network, training, options)
    counted = summary(network, found.size)
    progress.say(
        f"device     {place}, {threads} threads, TensorFlow {tf.__version__}; {chosen} ({why})"
    )
    progress.say(
        f"data       {found.name}: {len(training.indices):,} training and "
        f"{len(validation.indices):,} validation images of {found.size} px in "
        f"{len(found.classes)} classes; the test split stays closed"
    )
    progress.say(
        f"model      {what.model}: {counted.parameters:,} parameters, "
        f"{counted.macs / 1e6:,.1f} M multiply-accumulates an image{told}"
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
        chosen, folder,
    )  # fmt: skip


def _moves(what: Recipe) -> list[Any]:
    """Return what Keras' layers draw for the recipe's augmentation."""
    return [call.resolve(one, f"{_HERE}.augment")() for one in call.parse_chain(what.augment)]


def _precision(
    what: Recipe,
    before: Mapping[str, Any] | None,
    once: bool,
    build_in: Callable[..., Any],
    training: Split,
) -> tuple[str, str]:
    if before:
        return before["precision"], "as this run began"
    if once:
        return "fp32", "for features that are computed once"
    if what.precision != "auto":
        return what.precision, "as the recipe says"
    some = training.indices[: what.batch_size]
    batch = tf.constant(training.pixels[some]), tf.constant(training.labels[some])
    return precision.choose(build_in, *batch)


def _start(what: Recipe, network: Any, training: Split, options: Options) -> str:
    """Give a network the weights of ImageNet, or the scaling of the training images."""
    asked = call.parse(what.model).options
    if asked.get("weights"):
        offline = options.source.offline
        told = pretrained.load(network, asked["name"], asked["weights"], offline=offline)
        return f"; weights from {told}"
    rows = training.indices[:: max(1, len(training.indices) // _FITTED_ON)]
    network.get_layer("scale").fit(np.asarray(training.pixels)[rows])
    return ""


def measure(job: Job) -> Pace:
    """Time some steps and a pass over validation images; the job's network is trained."""
    learner = job.learner()
    marks = [time.perf_counter()]
    for images, labels in islice(job.feed.epoch(0), _STEPS):
        learner.step(images, labels, 0.0, 0)
        marks.append(time.perf_counter())
    times = sorted(after - before for before, after in pairwise(marks))
    step = times[len(times) // 2]
    some = job.validation.indices[:500]
    began = time.perf_counter()
    if len(some):
        learner.logits(job.validation.pixels, some)
    share = len(job.validation) / max(len(some), 1)
    passed = (time.perf_counter() - began) * share
    size = job.data.size
    return Pace(float("inf"), {size: step}, lambda _: size, passed, job.feed.steps)
