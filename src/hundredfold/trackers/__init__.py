"""Experiment trackers: what training logs, also as TensorBoard, MLflow, W&B or Trackio keep it.

A file is a tracker: `mlflow.py` defines `start(run, first) -> Tracker`, and NEEDS, the modules of
the extra of that name. It imports them only then. A tracker is fed from the run's folder, after
every epoch; it changes no bit of the training, and a failure of it never stops one.

Trackers write to this machine only, unless their own settings name a server.
"""

import importlib
import io
import pkgutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any

from hundredfold.errors import (
    HundredfoldWarning,
    MissingError,
    UsageError,
    did_you_mean,
    pip_install,
    shortened,
)
from hundredfold.run import Run
from hundredfold.trackers._tracker import Tracker

__all__ = ["Tracker", "Trackers", "choose", "names"]


def names() -> list[str]:
    """Return the names of all trackers."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def choose(chosen: str | Iterable[str] | None) -> "Trackers | None":
    """Return the trackers of some names, each once; None without any.

    Raises UsageError for an unknown name, and MissingError where an extra is not installed.
    """
    listed = [chosen] if isinstance(chosen, str) else list(dict.fromkeys(chosen or ()))
    for name in listed:
        if name not in names():
            remedy = did_you_mean(str(name), names())
            raise UsageError(f"there is no tracker {shortened(name)}", remedy=remedy)
        lacking = [module for module in _module(name).NEEDS if not _is_there(module)]
        if lacking:
            raise MissingError(
                f"--log {name} needs {lacking[0]}, which is not installed",
                remedy=pip_install(f"'hundredfold[{name}]'"),
            )
    return Trackers(listed) if listed else None


class Trackers:
    """Follow a training with trackers; one that fails is left out, with one warning."""

    def __init__(self, chosen: Iterable[str]) -> None:
        self._names = list(chosen)
        self._begun: dict[str, Tracker] = {}
        self._run: Run | None = None

    def begin(self, run: Run) -> None:
        """Follow a run that begins or is resumed; the epochs in its curve are of before."""
        self._run, self._begun = run, {}
        for name in list(self._names):
            with self._guarded(name, run):
                self._begun[name] = _module(name).start(run, len(run.curve) + 1)

    def epoch(self, row: Mapping[str, float]) -> None:
        """Log an epoch's row of the curve."""
        self._each(lambda tracker: tracker.epoch(row))

    def end(self) -> None:
        """Log the scores and the status of the run, and close every tracker."""
        run = self._run
        if run is None:
            return
        info = run.info
        status = "stopped" if info["status"] == "running" else str(info["status"])
        self._each(lambda tracker: tracker.end(status, run.scores))
        self._run, self._begun = None, {}

    def replay(self, run: Run) -> None:
        """Log a run that has ended: every epoch of its curve, its scores and its status."""
        rows = run.curve
        self._run, self._begun = run, {}
        for name in list(self._names):
            with self._guarded(name, run):
                self._begun[name] = _module(name).start(run, 1)
        for row in rows:
            self.epoch(row)
        self.end()

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._begun.items()):
            with self._guarded(name, self._run):
                act(tracker)

    @contextmanager
    def _guarded(self, name: str, run: Run | None) -> Iterator[None]:
        """Keep what a tracker prints, warns of and raises away from the training."""
        try:
            with warnings.catch_warnings(), _silent():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:  # of any library, for any reason
            self._begun.pop(name, None)
            words = " ".join(str(error).split())[:300] or "no message"
            where = "" if run is None else f" of {str(run.folder)!r}"
            text = f"--log {name} ends here{where}: {type(error).__name__}: {words}"
            warnings.warn(text, HundredfoldWarning, stacklevel=2)


@contextmanager
def _silent() -> Iterator[None]:
    """Discard what is printed within the block, as --json promises one object on stdout."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
