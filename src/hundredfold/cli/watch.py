"""`hundredfold watch`: a page of a training or a study that renews itself, and a live line."""

import sys
import webbrowser
from pathlib import Path
from typing import Any

from hundredfold.api import watching
from hundredfold.displays import Terminal


def watch(
    run_or_study: str = "latest",
    *,
    out: Path = Path("runs"),
    every: float = 2.0,
    wait: float = 600.0,
    open: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Follow a training or a study: a line here, and a page in its folder that renews itself.

    The page live.html needs no server. It may be opened as a file, here or where rsync brings the
    folder. Nothing is asked of the training: only its files are read, so it may run anywhere.

    Parameters
    ----------
    run_or_study
        A run or a study, by name or folder; "latest" is the newest run.
    out
        The folder of the runs.
    every
        Seconds between two looks at the folder.
    wait
        Seconds without a change after which a training counts as lost.
    open
        Show the page in the browser.
    json
        Print one JSON object at the end.
    """
    display = Terminal(sys.stderr if json else sys.stdout)
    show = _browse if open else None
    return watching.watch(run_or_study, display, out=out, every=every, wait=wait, first=show)


def _browse(page: Path) -> None:
    webbrowser.open(page.resolve().as_uri())
