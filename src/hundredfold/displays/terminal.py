"""Progress on a stream: plain lines, and on a terminal a live line below them."""

from typing import IO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hundredfold import machine
from hundredfold.events import Event
from hundredfold.wording import visible

_STAYS = ("message", "epoch")


class Terminal:
    """Print messages and epochs as lines; on a terminal, redraw one line for steps.

    A stream that can no longer be written to is given up: it ends no training.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._console = Console(file=machine.styled(stream), highlight=False)
        self._live: Live | None = None
        self.live = machine.is_terminal(stream)
        self._broken = False

    def show(self, event: Event) -> None:
        if self._broken:
            return
        try:
            self._show(event)
        except (OSError, ValueError, SystemExit):  # rich answers a broken pipe with SystemExit
            self._broken = True

    def _show(self, event: Event) -> None:
        kind = event["event"]
        if kind in _STAYS:
            self._console.print(Text(visible(event["text"])), soft_wrap=True)
        elif kind == "end":
            self._stop()
        elif self.live:
            self._redraw(event["text"])

    def _redraw(self, line: str) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text(visible(line), overflow="ellipsis", no_wrap=True), refresh=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
