"""Progress of a training: lines for its log, and events for a display."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from hundredfold import wording
from hundredfold.data import DataSet, Packed, Split
from hundredfold.events import Display, Event
from hundredfold.run import Run

_DECODED = 128  # packed images whose decoding is timed
_FEW = 100  # validation images below which the log says how uncertain a score is
_REFRESH = 0.2  # seconds between steps that are shown


class Status(NamedTuple):
    """State of a training within an epoch.

    loss, accuracy: means over the epoch so far. waiting: fraction of the time spent waiting for
    batches. remaining: estimated seconds.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_second: float
    waiting: float
    remaining: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}/{self.epochs}  step {self.step}/{self.steps}  "
            f"loss {self.loss:.3f}  top-1 {self.accuracy:.1%}  "
            f"{self.images_per_second:,.0f} images/s  waiting for data {self.waiting:.0%}  "
            f"left {wording.seconds(self.remaining)}"
        )


class Follower(Protocol):
    """Receives each training: as it begins, after each epoch, and once its record is written."""

    def begin(self, run: Run) -> None: ...
    def epoch(self, row: Mapping[str, float]) -> None: ...
    def end(self) -> None: ...


class Progress:
    """Log lines of a run, and show them and the progress of an epoch.

    display: shows events; None shows nothing. keeps: whether a run's log begins with all lines
    since the start, those of earlier runs included; else with those since the run before ended.
    follower: receives each run, unless it is one of several from `keeping`.
    """

    def __init__(
        self,
        display: Display | None = None,
        *,
        keeps: bool = False,
        follower: Follower | None = None,
    ) -> None:
        self._display, self._keeps, self._follower = display, keeps, follower
        self._log: Callable[[str], None] | None = None
        self._unlogged: list[str] = []
        self._shown = 0.0

    def keeping(self) -> "Progress":
        """Return the same progress for several runs, each of which logs all lines so far."""
        kept = Progress(self._display, keeps=True)
        kept._unlogged = self._unlogged
        return kept

    def say(self, line: str) -> None:
        """Show and log a line."""
        self._keep(line)
        self._show({"event": "message", "text": line})

    def log_to(self, log: Callable[[str], None]) -> None:
        """Pass lines to `log` from now on, and those from before."""
        self._log = log
        for line in self._unlogged:
            log(line)
        if not self._keeps:
            self._unlogged = []

    def begin(self, run: Run) -> None:
        """Tell the follower of a run whose curve is that of its save, or empty."""
        if self._follower:
            self._follower.begin(run)

    def step(self, status: Callable[[], Status]) -> None:
        """Show the progress of the epoch, at most five times a second."""
        now = time.monotonic()
        if self._display is None or not self._display.live or now - self._shown < _REFRESH:
            return
        self._shown = now
        current = status()
        self._show({"event": "step", "text": str(current), **current._asdict()})

    def epoch(self, row: Mapping[str, float], epochs: int, speed: float, best: bool) -> None:
        """Log an epoch's row of the curve; speed: images per second; best: its weights are kept."""
        line = epoch_line(row, epochs, speed, best)
        self._keep(line)
        facts = {"epochs": epochs, "images_per_second": round(speed, 1), "best": best}
        self._show({"event": "epoch", "text": line, **row, **facts})
        if self._follower:
            self._follower.epoch(row)

    def close(self) -> None:
        """End the log and the display; later lines belong to another run."""
        self._log = None
        self._show({"event": "end"})
        if self._follower:
            self._follower.end()

    def _keep(self, line: str) -> None:
        if self._log:
            self._log(line)
        if self._keeps or not self._log:
            self._unlogged.append(line)

    def _show(self, event: Event) -> None:
        if self._display is not None:
            self._display.show(event)


def describe_data(data: DataSet, training: Split, validation: Split, progress: Progress) -> None:
    """Log the number of images, the rate of decoding packed ones, and the data set's notes."""
    progress.say(
        f"data       {data.name}: {len(training):,} training and {len(validation):,} validation "
        f"images of {data.size} px in {len(data.classes)} classes; the test split stays closed"
    )
    if 0 < len(validation) < _FEW:
        progress.say(
            f"validation {len(validation)} images are few: a score of them is known to about "
            f"{100 / len(validation) ** 0.5:.0f} points either way; a study with --folds 5 scores "
            "every training image once"
        )
    if isinstance(training.pixels, Packed):
        training.pixels[training.indices[:_DECODED]]
        progress.say(
            "input      images are kept as JPEGs and decoded whenever they are used: "
            f"{training.pixels.rate:,.0f} a second here"
        )
    for note in data.notes:
        progress.say(f"checked    {note}")


def epoch_line(row: Mapping[str, Any], epochs: int, speed: float, best: bool) -> str:
    """Return an epoch's row of the curve as a line of text."""
    parts = [part for part in ("train", "validation") if f"{part}.loss" in row]
    shown = (f"{p} loss {row[f'{p}.loss']:.4f}  top-1 {row[f'{p}.top_1']:6.2%}" for p in parts)
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  {'  '.join(shown)}"
        f"  lr {row['lr']:.2g}  {speed:,.0f} images/s{'  best' if best else ''}"
    )
