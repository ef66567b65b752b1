"""Progress events for a user's function."""

from collections.abc import Callable
from typing import Any

from hundredfold.events import Event


class Callback:
    """Call a function with each event."""

    live = True

    def __init__(self, function: Callable[[dict[str, Any]], object]) -> None:
        self._function = function

    def show(self, event: Event) -> None:
        self._function(dict(event))
