"""What trials cost: seconds so far, and the estimate of a whole training."""

import time
from collections.abc import Mapping, Sequence

_SURE = 2  # epochs from which on an estimate refuses a budget; the first epoch warms up
_START = 5.0  # seconds to start a process, until it is measured

Rows = Sequence[Mapping[str, float]]


class Stopwatch:
    """Measures trials from their first sight on. epochs: of a whole training."""

    def __init__(self, epochs: float) -> None:
        self._epochs = max(epochs, 1.0)
        self._seen: dict[int, tuple[float, float]] = {}
        self._rows: dict[int, Rows] = {}
        self._start = 0.0

    def see(self, number: int, rows: Rows, before: float = 0.0) -> None:
        """Take the curve of a running trial. before: seconds that it had trained when resumed."""
        now = time.monotonic()
        begun, earlier = self._seen.setdefault(number, (now, before))
        if rows and len(rows) > len(self._rows.get(number, ())):
            start = now - begun + earlier - rows[-1].get("seconds", 0.0)
            self._start = max(self._start, start)
        self._rows[number] = rows

    def seconds(self, number: int) -> float:
        """Return the seconds that a trial has taken, with starting its process."""
        if number not in self._seen:
            return 0.0
        begun, before = self._seen[number]
        return time.monotonic() - begun + before

    def whole(self, number: int, rows: Rows | None = None) -> tuple[float, bool] | None:
        """Return the estimated seconds of a whole training, and whether that is a sure estimate.

        rows: the trial's curve, by default the one that was seen. None without an epoch.
        """
        seen = self._rows.get(number, ()) if rows is None else rows
        if not seen or seen[-1]["epoch"] < 1:
            return None
        done = seen[-1]["epoch"]
        rate = seen[-1].get("seconds", 0.0) / done
        estimate = (self._start or _START) + rate * max(self._epochs, done)
        return estimate, done >= min(_SURE, self._epochs)
