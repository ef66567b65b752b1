"""What a person sees while training: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hundredfold import wording
from hundredfold.data import DataSet

_REFRESH = 0.2


class Status(NamedTuple):
    """How a training stands within an epoch.

    loss, accuracy: means over the epoch so far. waiting: share of the time spent waiting for
    batches. remaining: seconds, as far as can be told.
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


class Progress:
    """Say things, keep them for the run's log, and show how far an epoch is.

    console: where to print.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._log: Callable[[str], None] | None = None
        self._unlogged: list[str] = []
        self._live: Live | None = None
        self._shown = 0.0

    def say(self, line: str) -> None:
        """Print a line and keep it."""
        if self._log:
            self._log(line)
        else:
            self._unlogged.append(line)
        self.console.print(Text(line), soft_wrap=True)

    def log_to(self, log: Callable[[str], None]) -> None:
        """Keep lines there from now on, and those that were said before."""
        self._log = log
        for line in self._unlogged:
            log(line)
        self._unlogged = []

    def step(self, status: Callable[[], Status]) -> None:
        """Refresh the live line at most five times a second; nothing off a terminal."""
        now = time.monotonic()
        if not self.console.is_terminal or now - self._shown < _REFRESH:
            return
        self._shown = now
        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text(str(status()), overflow="ellipsis", no_wrap=True), refresh=True)

    def epoch(self, row: Mapping[str, float], epochs: int, speed: float, best: bool) -> None:
        """Report an epoch's row of the curve, images a second, and whether its weights are kept."""
        self.say(epoch_line(row, epochs, speed, best))

    def close(self) -> None:
        """Take the live line away, and end the log: what is said next is another run's."""
        self._log = None
        if self._live is not None:
            self._live.stop()
            self._live = None


def describe_data(data: DataSet, training: int, validation: int, progress: Progress) -> None:
    """Report what is trained on: a line of counts, then the data set's own notes."""
    progress.say(
        f"data       {data.name}: {training:,} training and {validation:,} validation images of "
        f"{data.size} px in {len(data.classes)} classes; the test split stays closed"
    )
    for note in data.notes:
        progress.say(f"checked    {note}")


def epoch_line(row: Mapping[str, Any], epochs: int, speed: float, best: bool) -> str:
    """Return an epoch's row of the curve as a line for people."""
    parts = [part for part in ("train", "validation") if f"{part}.loss" in row]
    shown = (f"{p} loss {row[f'{p}.loss']:.4f}  top-1 {row[f'{p}.top_1']:6.2%}" for p in parts)
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  {'  '.join(shown)}"
        f"  lr {row['lr']:.2g}  {speed:,.0f} images/s{'  best' if best else ''}"
    )
