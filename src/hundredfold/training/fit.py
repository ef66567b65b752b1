"""The training loop.

Order, augmentation and what a step draws are functions of (seed, epoch, step), so where
training stands is a handful of numbers beside the tensors: a run that is killed anywhere
continues from its newest save to the same last bit.
"""

import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch

from hundredfold import files
from hundredfold.data import Split
from hundredfold.errors import CheckError, Interrupted
from hundredfold.metrics import scores
from hundredfold.recipe import Recipe
from hundredfold.run import Run, need_room
from hundredfold.training import checkpoint
from hundredfold.training import learner as learners
from hundredfold.training.early_stop import Best
from hundredfold.training.engine import Feed, Learner
from hundredfold.training.learner import key_of
from hundredfold.training.memory import Steps
from hundredfold.training.neighbours import Crew
from hundredfold.training.pace import Pace
from hundredfold.training.progress import Progress, epoch_line, status_line
from hundredfold.training.signals import Signals

SAVE_EVERY = 60.0  # seconds, in the middle of an epoch
SAVING_SHARE = 0.01  # of the time, at most: the next save waits until the last has paid off
_WATCHED = {"loss": "loss", "top_1": "top_k(k=1)"}
_WORTH_SAYING = 0.05  # of the steps: a change of pace


@dataclass
class Position:
    """Where training stands: `step` steps into `epoch` (from 0), and the sums so far.

    recipe: the digest of what is trained. curve: what curve.jsonl holds at this position.
    micro_batch: images at once, less than the recipe says where memory ran out.
    """

    recipe: str
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    right: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    saving: float = 0.0
    steps: int = 0  # in all epochs together; a budget may change it on the way
    curve: str = ""
    micro_batch: int = 0
    best: dict[str, Any] = field(default_factory=dict)


class Fit:
    """Train a learner by a recipe into a run's folder; `position` says how far it is."""

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        learner: Learner,
        feed: Feed,
        validation: Split,
        progress: Progress,
        pace: Pace | None = None,
    ) -> None:
        self.run, self.recipe, self.learner, self.feed = run, recipe, learner, feed
        self.validation, self.progress, self.pace = validation, progress, pace
        self.position = Position(recipe.digest, steps=max(1, round(recipe.epochs * feed.steps)))
        self.best = Best(recipe.select, recipe.patience)
        self._clock = self._saved = time.monotonic()
        self._save_cost = 0.0
        self._saved_at = (-1, -1)  # epoch and step
        # only PyTorch's learner can go on in smaller pieces where the memory does not suffice
        pytorch = learner if isinstance(learner, learners.Learner) else None
        self._step = Steps(pytorch, progress.say) if pytorch else learner.step
        on_cpu = pytorch if learner.device.type == "cpu" else None
        together = on_cpu and on_cpu.share(recipe.batch_size).threads > 1
        self._crew = Crew(progress.say, self._remedy(), adapts=bool(pace)) if together else None

    def restore(self, saved: checkpoint.Saved | None) -> None:
        """Go back to a save, or to the start, and the curve with it."""
        if saved:
            self.learner.load(saved.tensors)
            self.position = Position(**saved.position)
            self.learner.micro_batch = self.position.micro_batch
            self.best = Best(self.recipe.select, self.recipe.patience, **self.position.best)
            self.best.weights = saved.best
        files.write_text(self.run.folder / "curve.jsonl", self.position.curve)

    def __call__(self) -> str:
        """Train to the end and return why it ended.

        Raises CheckError where the loss is not finite or a save has no room, and
        Interrupted, after a save, where a signal asks to stop.
        """
        self._clock = self._saved = time.monotonic()
        with Signals() as signals, self._crew or nullcontext():
            while self.position.step or self.done() < self.position.steps:
                if self.best.exhausted(self.position.epoch):
                    return self._end(f"no better {self.best.select} in {self.best.patience} epochs")
                self._epoch(signals)
        return self._end("all epochs done")

    def _epoch(self, signals: Signals) -> None:
        position = self.position
        sums = torch.tensor((position.loss, position.right), dtype=torch.float64)
        sums = sums.to(self.learner.device)
        left = self.done() < position.steps
        for images, targets in self.feed.epoch(position.epoch, position.step) if left else ():
            sums += self._step(images, targets, self._share(), self._key())
            position.step += 1
            self._check(sums)
            self._keep_pace()
            if self._crew:
                self._crew.look_around()
            self.progress.step(partial(self._status, sums))
            if signals.caught or self._due(SAVE_EVERY):
                position.loss, position.right = sums.tolist()
                self._check_finite(position.loss)
                self._save()
            if signals.caught:
                raise self._interrupted(signals.caught)
            if self.done() >= position.steps:
                break
        position.loss, position.right = sums.tolist()
        try:
            with signals.at_once():  # validation may take longer than anyone waits
                row = self._row()
        except KeyboardInterrupt:
            self._save()
            raise self._interrupted(signals.caught) from None
        self._close_epoch(row)
        if signals.caught:
            self._save()
            raise self._interrupted(signals.caught)

    def _close_epoch(self, row: dict[str, float]) -> None:
        position = self.position
        self._check_finite(row.get("validation.loss", row["train.loss"]))
        line = json.dumps(row) + "\n"
        with (self.run.folder / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)
        position.curve += line
        better = self.best.better(row)
        if better:
            self.best.take(row, self.learner.weights())
        chosen = better and self.recipe.select != "last"
        self.progress.say(epoch_line(row, self._epochs(), self.speed(), chosen))
        position.epoch += 1
        position.step, position.loss, position.right = 0, 0.0, 0.0
        if self._due(0.0):
            self._save()

    def _due(self, least: float) -> bool:
        """Tell whether the last save is so long ago that another one costs little."""
        return time.monotonic() - self._saved > max(least, self._save_cost / SAVING_SHARE)

    def _row(self) -> dict[str, float]:
        self._tick()
        position, images = self.position, self.position.step * self.recipe.batch_size
        checked = self._validated() if len(self.validation) else {}
        self._tick()
        return {
            "epoch": position.epoch + 1,
            "step": self.done(),
            "seconds": round(position.seconds, 3),
            "lr": self._rate(),
            "train.loss": position.loss / position.step,
            "train.top_1": position.right / images,
            **checked,
        }

    def _validated(self) -> dict[str, float]:
        split = self.validation
        found = self.learner.logits(split.pixels, split.indices)
        values = scores(found, split.labels[split.indices], metrics=_WATCHED)
        return {f"validation.{name}": score.value for name, score in values.items()}

    def _save(self) -> None:
        """Write a save; the position it holds is the one that the tensors belong to."""
        self._tick()
        began = time.monotonic()
        position, best = self.position, self.best
        position.best = {"epoch": best.epoch, "value": best.value} if best.epoch else {}
        position.micro_batch = self.learner.micro_batch
        folder, tensors = self.run.folder / "state", self.learner.tensors()
        size = checkpoint.room(tensors, best.weights) + 2 * len(position.curve)
        need_room(folder, size, f"free some space, then {self._remedy()}")
        try:
            where = asdict(position)
            checkpoint.save(folder, self.done(), tensors, where, best.weights, best.epoch)
        except OSError as error:
            raise CheckError(
                f"the state cannot be saved: {error.strerror or error}", remedy=self._remedy()
            ) from error
        self._saved, self._saved_at = time.monotonic(), (position.epoch, position.step)
        self._save_cost = self._saved - began
        position.saving += self._save_cost

    def _end(self, reason: str) -> str:
        if self._saved_at != (self.position.epoch, self.position.step):
            self._save()
        return reason

    def _tick(self) -> None:
        """Add the time since the last tick to the run's seconds."""
        now = time.monotonic()
        self.position.seconds += now - self._clock
        self.position.waited += self.feed.waited
        self._clock, self.feed.waited = now, 0.0

    def _keep_pace(self) -> None:
        """Where there is a budget of time, change how many steps there are to be."""
        if not self.pace:
            return
        self._tick()
        position = self.position
        steps = self.pace.steps(self.done(), position.steps, position.seconds)
        if abs(steps - position.steps) > _WORTH_SAYING * position.steps:
            self.progress.say(
                f"pace       {steps} steps instead of {position.steps}: "
                f"one takes {self.pace.slower:.2f} times as long as measured"
            )
        position.steps = steps

    def done(self) -> int:
        """Steps so far; at the end of a last epoch that is cut short, as if it were whole."""
        return self.position.epoch * self.feed.steps + self.position.step

    def _share(self, done: int = 0) -> float:
        """The share of all steps that is done, or will be after `done` more."""
        return min(1.0, (self.done() + done) / self.position.steps)

    def _epochs(self) -> int:
        """Epochs in all, the last one perhaps cut short."""
        return math.ceil(self.position.steps / self.feed.steps)

    def _rate(self) -> float:
        """The learning rate of the newest step, which a resumed run may not have done itself."""
        return self.learner.rate(self._share(done=-1))

    def _key(self) -> int:
        return key_of(self.recipe.seed, self.position.epoch, self.position.step)

    def _check(self, sums: torch.Tensor) -> None:
        """Look at the loss after every step; a GPU is asked only now and then."""
        step = self.position.step
        if self.learner.device.type == "cpu" or step % 50 == 0 or step == self.feed.steps:
            self._check_finite(float(sums[0]))

    def _check_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        raise CheckError(
            f"the loss is not finite in epoch {self.position.epoch + 1}, step {self.position.step}",
            found=f"learning rate {self._rate():.3g}; {self._kept()}",
            remedy=f"a lower rate: --set optimizer.lr={self.learner.rates[0] / 10:.1g}",
        )

    def _kept(self) -> str:
        if self.best.epoch:
            return f"the weights of epoch {self.best.epoch} are kept"
        return "no epoch was finished, so there are no weights to keep"

    def speed(self) -> float:
        """Training images a second so far, validation included in the time."""
        steps = min(self.done(), self.position.steps)
        return steps * self.recipe.batch_size / max(self.position.seconds, 1e-9)

    def _status(self, sums: torch.Tensor) -> str:
        self._tick()
        position, steps = self.position, self.feed.steps
        loss, right = (sums / position.step).tolist()
        share = self._share()
        return status_line(
            position.epoch + 1,
            self._epochs(),
            position.step,
            steps,
            loss,
            right / self.recipe.batch_size,
            self.speed(),
            position.waited / position.seconds,
            position.seconds / share * (1 - share),
        )

    def _interrupted(self, number: int) -> Interrupted:
        return Interrupted(
            f"stopped in epoch {self.position.epoch + 1}; the state is saved",
            signal_number=number,
            remedy=self._remedy(),
        )

    def _remedy(self) -> str:
        return f"hundredfold train --resume {self.run.folder}"
