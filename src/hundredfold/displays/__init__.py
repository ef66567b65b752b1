"""Displays of progress: a terminal, a notebook, a user's function, or none."""

import sys
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from hundredfold import machine
from hundredfold.displays.callback import Callback
from hundredfold.displays.notebook import Notebook, in_notebook
from hundredfold.displays.terminal import Terminal
from hundredfold.errors import UsageError
from hundredfold.events import Display

__all__ = ["Callback", "Display", "Notebook", "Progress", "Terminal", "choose", "in_notebook"]

Progress: TypeAlias = Literal["auto", "none"] | Callable[[dict[str, Any]], object] | Display


def choose(progress: Progress) -> Display | None:
    """Return the display for a `progress` argument, or None to show nothing.

    progress: "auto" is a `Notebook` in a notebook, a `Terminal` where stderr is a terminal, and
        None elsewhere, as in scripts and tests. "none" is None. A function is called with each
        event, a dictionary; see `events`.

    Raises UsageError for another value.
    """
    if progress == "none":
        return None
    if progress == "auto":
        if in_notebook():
            return Notebook()
        return Terminal(sys.stderr) if machine.is_terminal(sys.stderr) else None
    if isinstance(progress, str) or not (callable(progress) or hasattr(progress, "show")):
        raise UsageError(
            f"progress = {progress!r} is not a way to show progress",
            remedy='"auto", "none" or a function that takes a dictionary',
        )
    return Callback(progress) if callable(progress) else progress
