"""What a person sees while training: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hundredfold import wording

_REFRESH = 0.2


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

    def step(self, status: Callable[[], str]) -> None:
        """Refresh the live line at most five times a second; nothing off a terminal."""
        now = time.monotonic()
        if not self.console.is_terminal or now - self._shown < _REFRESH:
            return
        self._shown = now
        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text(status(), overflow="ellipsis", no_wrap=True), refresh=True)

    def close(self) -> None:
        """Take the live line away, and end the log: what is said next is another run's."""
        self._log = None
        if self._live is not None:
            self._live.stop()
            self._live = None


def epoch_line(row: Mapping[str, Any], epochs: int, speed: float, best: bool) -> str:
    """Return an epoch's row of the curve as a line for people."""
    parts = [part for part in ("train", "validation") if f"{part}.loss" in row]
    shown = (f"{p} loss {row[f'{p}.loss']:.4f}  top-1 {row[f'{p}.top_1']:6.2%}" for p in parts)
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  {'  '.join(shown)}"
        f"  lr {row['lr']:.2g}  {speed:,.0f} images/s{'  best' if best else ''}"
    )


def status_line(
    epoch: int,
    epochs: int,
    step: int,
    steps: int,
    loss: float,
    top_1: float,
    speed: float,
    waiting: float,
    left: float,
) -> str:
    """Return the live line: where in which epoch, how it goes, how fast, how long still."""
    return (
        f"epoch {epoch}/{epochs}  step {step}/{steps}  loss {loss:.3f}  top-1 {top_1:.1%}"
        f"  {speed:,.0f} images/s  waiting for data {waiting:.0%}  left {wording.seconds(left)}"
    )
