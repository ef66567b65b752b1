"""What a training says of itself while it goes on, and what shows it.

An event is a dictionary; "event" says which:
message  "text"
step     "text", epoch, epochs, step, steps, loss, accuracy, images_per_second, waiting,
         remaining; at most five times a second
epoch    "text", the epoch's row of the curve, "epochs", "images_per_second", "best"
status   "text": how the trainings of a study stand
end
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias

Event: TypeAlias = Mapping[str, Any]


class Display(Protocol):
    """Shows events. live: whether it shows steps."""

    live: bool

    def show(self, event: Event) -> None: ...


_SHOWN = ContextVar("_SHOWN", default=False)


@contextmanager
def shown_progress(shown: bool = True) -> Iterator[None]:
    """Let long preparations, such as downloads, write to stderr within; else they are silent."""
    before = _SHOWN.set(shown)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def is_shown() -> bool:
    """Tell whether somebody wants to see progress."""
    return _SHOWN.get()
