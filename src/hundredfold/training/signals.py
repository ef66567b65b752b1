"""SIGINT and SIGTERM make training finish its step and save; a second one ends it immediately."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from hundredfold import machine


class Signals:
    """A context that records the first signal in `caught` (0: none)."""

    def __init__(self) -> None:
        self.caught = 0
        self._immediate = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in machine.handled_signals("SIGINT", "SIGTERM"):
            self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Within this context, a first signal, or one caught before, raises KeyboardInterrupt."""
        try:
            self._immediate = True
            if self.caught:
                raise KeyboardInterrupt
            yield
        finally:
            self._immediate = False

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self.caught = number
        self._restore()
        if self._immediate:
            raise KeyboardInterrupt

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
