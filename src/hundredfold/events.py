"""The events of a training, and the protocol of a display.

An event is a dictionary; its key "event" is its kind:
message  "text"
step     "text", epoch, epochs, step, steps, loss, accuracy, images_per_second, waiting,
         remaining; at most five times a second
epoch    "text", the epoch's row of the curve, "epochs", "images_per_second", "best"
status   "text": the progress of the trainings of a study
end      no other key; nothing follows
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias

Event: TypeAlias = Mapping[str, Any]


class Display(Protocol):
    """Shows events. live: whether it shows "step" and "status" events."""

    live: bool

    def show(self, event: Event) -> None: ...


_SHOWN = ContextVar("_SHOWN", default=False)


@contextmanager
def shown_progress(shown: bool = True) -> Iterator[None]:
    """Show progress bars of downloads and other preparations on stderr within the block."""
    before = _SHOWN.set(shown)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def is_shown() -> bool:
    """Return whether progress bars are shown."""
    return _SHOWN.get()
