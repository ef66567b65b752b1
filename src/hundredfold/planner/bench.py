"""Carry out the stages of a budget with the PyTorch engine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hundredfold import machine
from hundredfold.engines.pytorch import on_features, probes, timing
from hundredfold.engines.pytorch.held import Held
from hundredfold.engines.pytorch.job import Job, prepare
from hundredfold.engines.pytorch.rates import feature_rates, training_speed
from hundredfold.engines.pytorch.trial import trial
from hundredfold.errors import CheckError, HundredfoldError, UsageError
from hundredfold.planner.candidates import UPPER_GROUPS, Candidate
from hundredfold.planner.deadline import Deadline, need_steps
from hundredfold.planner.kept import Kept, accuracy
from hundredfold.planner.law import Score
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.session import train_job
from hundredfold.training.time_budget import TimeBudget
from hundredfold.weights.locate import resolve_weights

_AUTOTUNE = 0.03  # of the budget, at most, for timing trials of convolutions
_MEMORY = 0.3  # of the free memory, at most, for activations that are held
_END = 2.5  # seconds to write weights and page, and to end Python
_RUN = 1.0  # seconds of an answer that are not those of its images
_FP32 = 3.0  # times the validation in the precision of training: the last one, in fp32
_TIMING = 0.005  # of the budget, at most, for timing trials of each size
_MOST_EPOCHS = 30  # of a training that begins with pretrained weights
_MEASURED = (64, 128, 224)  # pixels at which the rate of features is measured
_MEASURED_SHORT = (64, 128)  # the same for a budget under `_SHORT`
_SHORT = 40.0  # seconds
_CAREFUL = 0.85  # of the measured rate: decoding and small batches take time as well


@dataclass
class TorchBench:
    """The bench of a budget; see `stages.Bench` for each method.

    head: any candidate with a pretrained backbone, to measure its rates; None without one.
    """

    options: Options
    progress: Progress
    deadline: Deadline
    kept: Kept
    head: Recipe | None
    scratch: Recipe | None
    held: Held = field(init=False)
    failure: HundredfoldError | None = None  # of the last candidate that could not be trained
    _curve: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = Held(UPPER_GROUPS, int(_MEMORY * machine.free_memory()))
        seconds = self.deadline.seconds
        self.options = replace(
            self.options, held=self.held, fast_validation=True, autotune_seconds=_AUTOTUNE * seconds
        )

    @cached_property
    def _rates(self) -> dict[int, float]:
        assert self.head is not None
        recipe, weights = resolve_weights(self.head, self.options.source, self.options.weights)
        sizes = _MEASURED if self.deadline.seconds >= _SHORT else _MEASURED_SHORT
        rates = feature_rates(recipe, weights, self.options, sizes)
        return {size: _CAREFUL * rate for size, rate in rates.items()}

    def feature_rate(self, size: int) -> float:
        if size in self._rates:
            return self._rates[size]
        nearest = sorted(self._rates, key=lambda known: abs(math.log(known / size)))
        near, other = nearest[:2]
        rates = self._rates[near], self._rates[other]
        exponent = max(1.0, math.log(rates[0] / rates[1]) / math.log(other / near))
        return float(rates[0] * (near / size) ** exponent)

    def training_speed(self) -> float:
        assert self.scratch is not None
        return training_speed(self.scratch, self.options)

    def answer(self, candidate: Candidate) -> Score:
        began = self.deadline.spent
        job, recipe = self._prepared(candidate, None)
        job = on_features.compute_features(job, self.options.source.cache, self.progress)
        options = replace(self.options, name=self.kept.free_name(recipe, job.data.name))
        answered = train_job(job, options, self.progress, None, recipe)
        self.kept.offer(answered, replaces=True)
        if self.held.probed is not None:
            self._curve = probes.learning_curve(*self.held.probed)
        seconds = self.deadline.spent - began
        measured = candidate.images / max(seconds - _RUN, 0.1)  # too high where features are cached
        self._rates[candidate.size] = min(self.feature_rate(candidate.size), measured)
        return Score(accuracy(answered), len(job.validation), seconds)

    def trial(self, candidate: Candidate, seconds: float) -> Score | None:
        try:
            job, _ = self._prepared(candidate, None)
            job = on_features.compute_features(job, self.options.source.cache, Progress())
            tried = trial(job, seconds)
        except (CheckError, UsageError) as error:
            self._pass_over(candidate, error)
            return None
        passes = tried.seen / max(len(job.training), 1)
        return Score(tried.accuracy, tried.images, tried.seconds, passes)

    def train(self, candidate: Candidate, seconds: float) -> Score | None:
        end = self.deadline.spent + seconds
        try:
            trained, spent, images = self._trained(candidate, end)
        except (CheckError, UsageError) as error:
            self._pass_over(candidate, error)
            self.kept.discard_failed()
            return None
        score = Score(accuracy(trained), images, spent, float(trained.info["epochs"]))
        if not self.kept.offer(trained):
            assert self.kept.best
            self.progress.say(f"kept       {self.kept.best.folder}, which is not worse")
        return score

    def _trained(self, candidate: Candidate, end: float) -> tuple[Run, float, int]:
        """Train a candidate until `end`; return its run, seconds, and validation images."""
        job, recipe = self._prepared(candidate, self.progress)
        job = on_features.compute_features(job, self.options.source.cache, self.progress)
        times = timing.step_times(job, min(timing.SECONDS, _TIMING * self.deadline.seconds))
        left = end - self.deadline.spent - (1 + _FP32) * times.validation - _END
        step = times.seconds(0, 1) - times.validation
        need_steps(left, step, times.seconds(0, job.feed.steps), self.deadline.seconds)
        epochs = times.steps_within(0, left) / job.feed.steps
        if candidate.kind != "scratch":
            epochs = min(epochs, _MOST_EPOCHS)
        recipe = recipe.override({"epochs": round(epochs, 4)})
        job = replace(job, recipe=recipe)
        first = max(0.0, self.deadline.first - self.deadline.spent - times.validation)
        budget = TimeBudget(min(left, times.seconds(0, job.steps)), times, first)
        options = replace(self.options, name=self.kept.free_name(recipe, job.data.name))
        began = self.deadline.spent
        trained = train_job(job, options, self.progress, budget, recipe)
        return trained, self.deadline.spent - began, len(job.validation)

    def _pass_over(self, candidate: Candidate, error: HundredfoldError) -> None:
        self.failure = error
        found = f"; {error.found}" if error.found else ""
        self.progress.say(f"failed     {candidate}: {error.message}{found}")

    def learning_curve(self) -> Sequence[tuple[int, float]]:
        return self._curve

    def _prepared(self, candidate: Candidate, progress: Progress | None) -> tuple[Job, Recipe]:
        """Return the job of a candidate, and its recipe with pinned weights."""
        options = self.options
        recipe, weights = resolve_weights(candidate.recipe, options.source, options.weights)
        job = prepare(recipe, options, progress, weights)
        return job, recipe
