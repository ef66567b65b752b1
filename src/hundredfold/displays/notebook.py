"""Progress in a notebook: one output, updated at most twice a second, without widgets."""

import sys
import time
from typing import Any

from hundredfold import reports
from hundredfold.events import Event

_APART = 0.5  # seconds between two updates; more frequent ones freeze the page
_LINES = 6  # newest messages that are shown


def in_notebook() -> bool:
    """Return whether this code runs in a notebook's kernel."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython  # only if something else has imported it

    return hasattr(get_ipython(), "kernel")


class Notebook:
    """Show the newest messages, a table of epochs and their curves in one output."""

    live = True

    def __init__(self) -> None:
        self._handle: Any = None
        self._lines: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._status = ""
        self._drawn = 0.0

    def show(self, event: Event) -> None:
        kind = event["event"]
        if kind == "message":
            self._lines = [*self._lines, event["text"]][-_LINES:]
        elif kind == "epoch":
            self._rows.append(dict(event))
            self._status = ""
        else:
            self._status = event.get("text", "")
        if kind == "end" or time.monotonic() - self._drawn >= _APART:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        self._drawn = time.monotonic()
        page = HTML(reports.progress_html(self._lines, self._rows, self._status))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)
