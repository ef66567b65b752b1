"""How far a long preparation is: a bar on a terminal, a line before and after elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hundredfold import machine
from hundredfold.events import is_shown
from hundredfold.wording import visible


@contextmanager
def progress(
    text: str, total: int | None, *, start: int = 0, count: bool = False
) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the bytes that were done, or images where `count`.

    Nothing is shown without a text, or where nobody wants to see it.
    """
    console, text = Console(file=machine.styled(sys.stderr), soft_wrap=True), visible(text)
    if not text or not is_shown():
        yield lambda _done: None
        return
    if not machine.is_terminal(console.file):
        began = time.monotonic()
        console.print(text, highlight=False, markup=False)
        yield lambda _done: None
        console.print(f"{text}: {time.monotonic() - began:.0f} s", highlight=False, markup=False)
        return
    units = (MofNCompleteColumn(),) if count else (DownloadColumn(), TransferSpeedColumn())
    what = TextColumn("{task.description}", markup=False)
    columns = (what, BarColumn(), *units, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=total, completed=start)
        yield lambda done: bar.advance(task, done)
