"""The training loop.

    score a head that was fitted to features before: the first weights to beat
    until all steps are done, or patience is exhausted:
        for each batch of the epoch:  one step of the learner
        score the validation images
        write the epoch's line of the curve, keep the weights if they are the best
        save, if the last save is long enough ago

Order, augmentation and random numbers of a step are functions of (seed, epoch, step). So the state
is a few numbers beside the tensors, and a run that is killed at any time continues from its newest
save to the same bits.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor

from hundredfold import files
from hundredfold.compute.device import sum_type
from hundredfold.data import Split
from hundredfold.errors import CheckError, Interrupted
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training import checkpoint
from hundredfold.training.early_stopping import Best
from hundredfold.training.position import Clock, Position, total_steps
from hundredfold.training.progress import Progress, Status
from hundredfold.training.protocols import Feed, Learner, Watch
from hundredfold.training.saves import WITHIN_EPOCH, Saves
from hundredfold.training.signals import Signals
from hundredfold.training.time_budget import TimeBudget
from hundredfold.training.validation import curve_scores

_WORTH_REPORTING = 0.05  # of the steps: smaller changes by the time budget are not logged
_WAITS = 0.3  # of the time: less waiting for batches is not logged
_GPU_CHECKS = 50  # steps between checks of the loss on a GPU, each of which waits for it


class Loop:
    """Train a learner by a recipe into a run's folder; `position` is its progress.

    recipe: the run's, with the batch size that is used. watch: limits threads beside competing
    processes, or None. budget: adapts the steps to a time, or None. fitted: whether the head was
    fitted to features before, so that the weights at the start count. keep: writes the best
    weights into the run while a budget's training goes on.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        learner: Learner,
        feed: Feed,
        validation: Split,
        progress: Progress,
        watch: Watch | None = None,
        budget: TimeBudget | None = None,
        fitted: bool = False,
    ) -> None:
        self.run, self.recipe, self.learner, self.feed = run, recipe, learner, feed
        self.validation, self.progress = validation, progress
        self.watch, self.budget, self._fitted = watch, budget, fitted
        self.keep: Callable[[Best], None] = lambda _best: None
        steps = total_steps(recipe.epochs, feed.steps)
        self.position = Position(run.recipe.digest, steps, feed.steps)
        self.best = Best(recipe.select, recipe.patience)
        self._clock = Clock()
        self._saves = Saves(run, learner, self.remedy)

    def restore(self, saved: checkpoint.Saved | None) -> None:
        """Restore a save, or the start, and truncate the curve to it."""
        if saved:
            self.learner.load(saved.tensors)
            self.position = Position(**saved.position)
            self.learner.micro_batch = self.position.micro_batch
            self.best = Best(self.recipe.select, self.recipe.patience, **self.position.best)
            self.best.weights = saved.best
        files.write_text(self.run.folder / "curve.jsonl", self.position.curve)

    def train(self) -> str:
        """Train to the end and return the reason of the end.

        There is no save at the end, as the weights are written next. Raises CheckError where the
        loss is not finite or the disk is full, and Interrupted, after a save, on a signal.
        """
        self._clock, self._saves = Clock(), Saves(self.run, self.learner, self.remedy)
        with Signals() as signals, self.watch or nullcontext():
            self._score_start(signals)
            while not (reason := self._end_reason()):
                self._train_epoch(signals)
                self._finish_epoch(self._row(signals))
                if signals.caught:
                    self._stop(signals)
        return reason

    def _score_start(self, signals: Signals) -> None:
        """Score a head that was fitted before, unless the training has begun or keeps the last."""
        position = self.position
        if not self._fitted or position.done or self.best.weights or self.recipe.select == "last":
            return
        self._take_first({"epoch": 0} | self._scored(signals))

    def _take_first(self, row: dict[str, float]) -> None:
        """Take the first weights of a training, write them, and log their score."""
        self.best.take(row, self.learner.weights())
        self.keep(self.best)
        self.progress.say(
            f"first      weights after {self.position.done} steps: accuracy "
            f"{row['validation.top_1']:.2%} on the validation images"
        )

    def _end_reason(self) -> str:
        """Return the reason to end training now; "" to continue."""
        if not self.position.steps:
            return "the head stays as it was fitted"
        if self.position.finished:
            return "all epochs done"
        if self.best.exhausted(self.position.epoch):
            return f"no better {self.best.select} in {self.best.patience} epochs"
        return ""

    def _train_epoch(self, signals: Signals) -> None:
        """Train on the remaining batches of this epoch."""
        position = self.position
        sums = torch.tensor((position.loss, position.correct), dtype=sum_type(self.learner.device))
        sums = sums.to(self.learner.device)
        for images, targets in self._batches():
            seed = position.step_seed(self.recipe.seed)
            sums += self.learner.step(images, targets, position.progress(), seed)
            position.step += 1
            self._after_step(sums, signals)
            if position.done >= position.steps:
                break
        position.loss, position.correct = sums.tolist()

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        """Return the remaining batches of this epoch; none where only validation remains."""
        position = self.position
        if position.done >= position.steps:
            return iter(())
        return self.feed.epoch(position.epoch, position.step)

    def _after_step(self, sums: Tensor, signals: Signals) -> None:
        """Check the loss, apply the time budget, show progress, and save when due."""
        position = self.position
        on_cpu = self.learner.device.type == "cpu"
        if on_cpu or position.step % _GPU_CHECKS == 0 or position.step == position.steps_per_epoch:
            self._check_finite(float(sums[0]))
        self._keep_to_budget()
        if self.budget and self.budget.needs_first(position.seconds) and len(self.validation):
            self._keep_first(signals)
        if self.watch:
            self.watch.look()
        self.progress.step(partial(self._status, sums))
        if signals.caught or self._saves.due(WITHIN_EPOCH):
            position.loss, position.correct = sums.tolist()
            self._check_finite(position.loss)
            self._save()
        if signals.caught:
            raise self._interrupted(signals.caught)

    def _row(self, signals: Signals) -> dict[str, float]:
        """Score the validation images and return the epoch's line of the curve."""
        validation, position = self._scored(signals), self.position
        return {
            "epoch": position.epoch + 1,
            "step": position.done,
            "seconds": round(position.seconds, 3),
            "lr": self._rate(),
            "train.loss": position.loss / position.step,
            "train.top_1": position.correct / (position.step * self.recipe.batch_size),
            **validation,
        }

    def _scored(self, signals: Signals) -> dict[str, float]:
        """Return the validation scores; a signal meanwhile saves and stops the training."""
        try:
            with signals.immediate():  # validation may take long: a signal interrupts it
                self._tick()
                validation = curve_scores(self.learner, self.validation)
                self._tick()
        except KeyboardInterrupt:
            self._stop(signals)
        return validation

    def _finish_epoch(self, row: dict[str, float]) -> None:
        """Write the epoch's line, keep its weights if they are the best, and save when due."""
        position = self.position
        self._check_finite(row.get("validation.loss", row["train.loss"]))
        line = json.dumps(row) + "\n"
        self.run.append("curve.jsonl", line)
        position.curve += line
        better = self.best.better(row)
        if better:
            self.best.take(row, self.learner.weights())
        marked = better and self.recipe.select != "last"
        self.progress.epoch(row, position.epochs, self.images_per_second(), marked)
        self._report_input()
        position.start_next_epoch()
        if self._saves.due() and not self._end_reason():
            self._save()

    def _report_input(self) -> None:
        """Log, after the first epoch, that batches take longer than steps, where they do."""
        position = self.position
        waited = position.waited / max(position.seconds, 1e-9)
        if position.epoch == 0 and waited > _WAITS:
            self.progress.say(
                f"input      is the bottleneck: {waited:.0%} of the time is spent waiting for "
                f"images, which come at {self.images_per_second() / waited:,.0f} a second"
            )

    def _keep_to_budget(self) -> None:
        """Change the total number of steps by the time budget, if there is one."""
        if not self.budget:
            return
        self._tick()
        position = self.position
        steps = self.budget.steps(position.done, position.steps, position.seconds)
        if abs(steps - position.steps) > _WORTH_REPORTING * position.steps:
            self.progress.say(
                f"budget     {steps} steps instead of {position.steps}: "
                f"a step takes {self.budget.slower:.2f} times as long as measured"
            )
        position.steps = steps

    def _keep_first(self, signals: Signals) -> None:
        """Score and write weights early in a budget, within an epoch."""
        if not self.best.weights:
            self._take_first({"epoch": self.position.epoch + 1} | self._scored(signals))

    def _save(self) -> None:
        self._tick()
        self._saves.write(self.position, self.best)

    def _stop(self, signals: Signals) -> NoReturn:
        self._save()
        raise self._interrupted(signals.caught) from None

    def _tick(self) -> None:
        """Add the time since the last tick to the run's seconds."""
        self.position.seconds += self._clock.seconds()
        self.position.waited += self.feed.waited
        self.feed.waited = 0.0

    def _rate(self) -> float:
        """Return the learning rate of the latest step, which may precede a resume."""
        return self.learner.rate(self.position.progress(more=-1))

    def _check_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        best = self.best
        kept = f"the weights of epoch {best.epoch} are kept" if best.weights else "none are kept"
        raise CheckError(
            f"the loss is not finite in epoch {self.position.epoch + 1}, step {self.position.step}",
            found=f"learning rate {self._rate():.3g}; {kept}",
            remedy=f"a lower rate: --set optimizer.lr={self.learner.rates[0] / 10:.1g}",
        )

    def images_per_second(self) -> float:
        """Return training images per second so far; the time includes validation."""
        steps = min(self.position.done, self.position.steps)
        return steps * self.recipe.batch_size / max(self.position.seconds, 1e-9)

    def _status(self, sums: Tensor) -> Status:
        self._tick()
        position, progress = self.position, self.position.progress()
        loss, correct = (sums / position.step).tolist()
        return Status(
            epoch=position.epoch + 1,
            epochs=position.epochs,
            step=position.step,
            steps=position.steps_per_epoch,
            loss=loss,
            accuracy=correct / self.recipe.batch_size,
            images_per_second=self.images_per_second(),
            waiting=position.waited / position.seconds,
            remaining=position.seconds / progress * (1 - progress),
        )

    def _interrupted(self, number: int) -> Interrupted:
        return Interrupted(
            f"stopped in epoch {self.position.epoch + 1}; the state is saved",
            signal_number=number,
            remedy=self.remedy,
        )

    @property
    def remedy(self) -> str:
        """The command that resumes the run."""
        return f"hundredfold train --resume {self.run.folder}"
