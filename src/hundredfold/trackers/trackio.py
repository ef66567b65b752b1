"""Trackio: a local database (TRACKIO_DIR), shown by `trackio show --project hundredfold`.

TRACKIO_SPACE_ID or TRACKIO_SERVER_URL name a Space or a server to send to.
"""

import os
from collections.abc import Mapping
from typing import Any

from hundredfold.run import Run
from hundredfold.trackers._tracker import PROJECT, need_network, numbers, score_numbers, settings

NEEDS = ("trackio",)
_SERVERS = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")


class Trackio:
    """A run of Trackio; steps are epochs."""

    def __init__(self, run: Run, first: int) -> None:
        for server in filter(None, map(os.environ.get, _SERVERS)):
            need_network(server)
        import trackio

        self._library: Any = trackio
        self._run: Any = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=run.name,
            config=settings(run),
            resume="allow" if first > 1 else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        self._last = first

    def epoch(self, row: Mapping[str, float]) -> None:
        self._last = int(row["epoch"])
        self._run.log(numbers(row), step=self._last)

    def end(self, status: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
        done = {"run/done": float(status == "done")}
        self._run.log(score_numbers(scores) | done, step=self._last)
        self._library.finish()


def start(run: Run, first: int) -> Trackio:
    """Begin to log a run. first: the epoch that comes next."""
    return Trackio(run, first)
