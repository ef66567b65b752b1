"""The log: one JSON object a line on stderr, written by a thread of its own.

Nothing that a client sends is in it: neither paths nor names, headers or addresses.
"""

import json
import sys
import threading
import time
from collections import deque
from typing import Any

_MOST_LINES = 10_000  # that wait while nobody reads stderr; more are counted and dropped
_PAUSE = 0.1  # seconds in which lines gather


class Log:
    """Take events without ever waiting for whoever reads them."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._more = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def event(self, name: str, **facts: Any) -> None:
        """Log an event. facts: what JSON can hold; None is left out."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        entry = {"time": f"{stamp}.{int(now % 1 * 1000):03}Z", "event": name}
        entry |= {key: value for key, value in facts.items() if value is not None}
        if len(self._lines) >= _MOST_LINES:
            self._dropped += 1
            return
        self._lines.append(json.dumps(entry))
        self._more.set()

    def close(self) -> None:
        """Write what is left, within a second."""
        self._over = True
        self._more.set()
        self._thread.join(1)

    def _run(self) -> None:
        while not (self._over and not self._lines):
            self._more.wait()
            self._more.clear()
            self._write()
            if not self._over:
                time.sleep(_PAUSE)
        self._write()

    def _write(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._dropped:
            lines.append(json.dumps({"event": "lines_dropped", "count": self._dropped}))
            self._dropped = 0
        if lines:
            sys.stderr.write("\n".join(lines) + "\n")
            sys.stderr.flush()
