"""Watch a training or a study from its folder: renew its page until it ends."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hundredfold import reports, run, wording
from hundredfold.api.options import File, home
from hundredfold.errors import CheckError, DataError, HundredfoldError, UsageError
from hundredfold.events import Display
from hundredfold.reports import Member
from hundredfold.run import Run, plain, reading
from hundredfold.run.standing import Standing, changed, of_curve, standing, state

_BEAT = 10.0  # seconds between beats of a page that has not changed
_HALVES = 10.0  # seconds within which a damaged file may still become whole
_PLAN = ("plan.json", "study.json")
_OFTEN = (*_PLAN, "progress.json")


class _Watched(Protocol):
    """A run or a study: its folder, what to compare for a change, its page and its line."""

    folder: Path

    def version(self) -> object: ...
    def write(self, number: int, every: float) -> "View": ...


@dataclass(frozen=True)
class View:
    """What was read of a folder: a line for the terminal, whether it has ended, facts for JSON."""

    line: str
    ended: bool
    facts: dict[str, Any]


def watch(
    name: File,
    display: Display | None = None,
    *,
    out: File = run.RUNS,
    every: float = 2.0,
    wait: float = 600.0,
    first: Callable[[Path], object] | None = None,
) -> dict[str, Any]:
    """Write the page live.html of a run or study, and renew it until it ends; return its facts.

    name: a run or a study, by name or folder. every: seconds between looks at the folder. wait:
    seconds without a change after which a training elsewhere counts as lost. first: called with
    the page once it is written.

    Only files are read, so the folder may be one that rsync brings from another machine, and the
    training never waits. Raises UsageError where there is no such run or study, and DataError for
    a folder with a link in it, or a damaged one. Raises CheckError for a training that is lost.
    """
    for option, value in (("every", every), ("wait", wait)):
        if not 0.1 <= value <= 1e6:
            raise UsageError(
                f"{option} = {value:g} is not a number of seconds from 0.1 to 1,000,000"
            )
    watched = _open(home(name), Path(home(out)))
    plain.need_own(watched.folder)
    page = watched.folder / reports.LIVE
    facts: dict[str, Any] = {}
    _show(display, "message", f"page       {page}")
    try:
        for view in _views(watched, every, wait):
            if not facts and first is not None:
                first(page)
            facts = view.facts
            _show(display, "message" if view.ended else "status", view.line)
    finally:
        _show(display, "end", "")
    return {"page": str(page), **facts}


def _views(watched: _Watched, every: float, wait: float) -> Iterator[View]:
    """Yield a view whenever the folder has changed, the last one once it has ended."""
    pages = _Pages(watched, every)
    since = time.monotonic()
    while True:
        before = pages.view
        if pages.renew():
            since = time.monotonic()
        view = pages.view
        if view is not None and view is not before:
            yield view
        if view is not None and view.ended:
            return
        if time.monotonic() - since > wait:
            raise CheckError(
                f"{str(watched.folder)!r} has not changed for {wording.seconds(wait)}",
                found=None if view is None else view.line,
                remedy="--wait for a longer time, or see whether its training still runs",
            )
        time.sleep(every)


class _Pages:
    """Writes a page for each version of a folder; `view` is what the newest one shows."""

    def __init__(self, watched: _Watched, every: float) -> None:
        self._watched, self._every = watched, every
        self._number = int(time.time())
        self._version: object = None
        self._beaten = self._failing = -math.inf
        self.view: View | None = None

    def renew(self) -> bool:
        """Write a page if the folder has changed, else a beat now and then; return the former.

        Raises DataError for a folder that is gone, or that stays damaged: rsync may bring a file
        by halves, which is tried again.
        """
        if not self._watched.folder.exists():
            raise DataError(f"{str(self._watched.folder)!r} is gone")
        now = time.monotonic()
        try:
            version = self._watched.version()
            if version == self._version:
                if now - self._beaten >= _BEAT:
                    self._beaten = now
                    reports.beat(self._watched.folder, self._number)
                return False
            view = self._watched.write(self._number + 1, self._every)
        except (DataError, FileNotFoundError):
            if self._failing < 0:
                self._failing = now
            if now - self._failing > _HALVES:
                raise
            return False
        self._number += 1
        self._version, self._beaten, self._failing, self.view = version, now, -math.inf, view
        return True


class _OfRun:
    """A run that is watched."""

    def __init__(self, opened: Run) -> None:
        self.folder, self._run = opened.folder, opened

    def version(self) -> object:
        return changed(self.folder), self._run.is_written

    def write(self, number: int, every: float) -> View:
        now = standing(self._run)
        reports.write_live_run(self._run, now, number=number, every=every)
        return View(f"{now.name}  {now}", now.ended, _facts(now))


class _OfStudy:
    """A study that is watched: its plan, and each of its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def version(self) -> object:
        runs = [(changed(r.folder), r.is_written) for _, _, r in self._members()]
        return changed(self.folder, _OFTEN), Run(self.folder).is_written, runs

    def write(self, number: int, every: float) -> View:
        plan = self._plan()
        status, _ = state(self.folder, plan)
        ended = status != "running"
        progress = reading.progress(self.folder)
        members = [
            _member(label, unit, run, progress.get(run.folder.name))
            for label, unit, run in self._members()
        ]
        title = str(plan.get("title") or self.folder.resolve().name)
        reports.write_live_study(
            self.folder, title, members, number=number, every=every, ended=ended
        )
        facts = [_facts(member.standing) | {"label": member.label} for member in members]
        return View(_line(status, members), ended, {"status": status, "runs": facts})

    def _plan(self) -> dict[str, Any]:
        if plain.exists(self.folder / "plan.json"):
            return reading.plan(self.folder)
        return {**reading.study(self.folder), "status": "done"}

    def _members(self) -> list[tuple[str, str, Run]]:
        """Return label, seed with fold, and run of each training, its folder there or not."""
        found = []
        for entry in self._plan()["members"]:
            folder = plain.need_folder(self.folder.parent, str(entry["run"]))
            fold = f", fold {entry['fold']}" if "fold" in entry else ""
            found.append((str(entry["label"]), f"seed {entry['seed']}{fold}", Run(folder)))
        return found


def _open(name: str, out: Path) -> _Watched:
    """Return the run or the study of a name or folder."""
    for folder in (Path(name), out / name):
        if any(plain.exists(folder / file) for file in _PLAN):
            return _OfStudy(folder)
    return _OfRun(run.open_run(name, out))


def _member(label: str, unit: str, run: Run, elsewhere: dict[str, Any] | None) -> Member:
    """Return how far a training of a study is; a damaged one has failed.

    elsewhere: its entry of progress.json, which counts while its folder is not here.
    """
    name = run.folder.name
    try:
        now, curve = standing(run), run.curve
    except HundredfoldError as error:
        return Member(label, unit, Standing(name, "failed", error.message))
    if now.status == "waiting" and elsewhere:
        curve, where = elsewhere["curve"], f"on {elsewhere['node']}"
        now = of_curve(name, curve, float(elsewhere["epochs"]), "running", where)
    return Member(label, unit, now, curve)


def _facts(now: Standing) -> dict[str, Any]:
    return {
        "run": now.name,
        "status": now.status,
        "reason": now.reason,
        "epoch": now.epoch,
        "epochs": now.epochs,
        "accuracy": now.accuracy,
        "best": now.best,
        "remaining": now.remaining,
    }


def _line(status: str, members: list[Member]) -> str:
    """Return a line on a study: how many are done, and those that run."""
    done = sum(member.standing.status == "done" for member in members)
    running = [m for m in members if m.standing.status == "running"]
    now = "  ".join(f"{m.label}, {m.unit}: {_short(m.standing)}" for m in running)
    return f"{status}  {done} of {len(members)} done  {now}".rstrip()


def _short(now: Standing) -> str:
    reached = f", {wording.percent(now.accuracy)}" if wording.finite(now.accuracy) else ""
    return f"epoch {now.epoch}{reached}"


def _show(display: Display | None, kind: str, text: str) -> None:
    if display is None:
        return
    if kind == "status" and not display.live:
        kind = "message"
    display.show({"event": kind, "text": text})
