"""A trial as a job, and what becomes of its run: losers keep no weights, the winner all."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hundredfold.errors import HundredfoldError
from hundredfold.executors import Job
from hundredfold.recipe import Recipe
from hundredfold.run import Run, surplus
from hundredfold.studies import Member
from hundredfold.studies.plan import Plan
from hundredfold.studies.search.record import folder_of
from hundredfold.studies.search.space import Value, applied

SEED = 1000  # of every trial; studies, and so the comparison, have the seeds 0 to 999
KEY = "validation.top_1"
_SAVES, _LOOK = 60.0, 0.2  # seconds that a process may need to save; between looks
_ENDED = ("done", "failed")


@dataclass(frozen=True)
class Trials:
    """The runs of the trials of a search.

    plan:   of the study that compares at the end; its first variant is the untuned recipe.
    scratch: a folder for the files of jobs.
    """

    plan: Plan
    scratch: Path

    @property
    def folder(self) -> Path:
        return self.plan.folder / "trials"

    @property
    def untuned(self) -> Member:
        return next(m for m in self.plan.members if m.label == "untuned")

    def run(self, number: int) -> Run:
        return Run(self.folder / folder_of(number))

    def recipe(self, number: int, values: Mapping[str, Value]) -> Recipe:
        """Return the recipe of a trial: the untuned one with its values, and the search's seed."""
        title = f"{self.plan.study.title or self.plan.study.name}: trial {number}"
        changed = applied(self.untuned.recipe, values)
        return changed.override({"seed": SEED, "title": title, "source": ""})

    def job(self, number: int, values: Mapping[str, Value]) -> Job:
        """Return the job that trains a trial, or resumes its run."""
        run = self.run(number)
        member = Member("untuned", number, self.recipe(number, values))
        begun = {member: run} if run.folder.exists() else {}
        return replace(self.plan, done={}, begun=begun).job(member, run.folder, self.scratch)

    def wait(self, number: int) -> None:
        """Wait until the process of a killed command has saved the run of a trial, and ended."""
        limit = time.monotonic() + _SAVES
        while self.run(number).is_written and time.monotonic() < limit:
            time.sleep(_LOOK)

    def ended(self, number: int) -> str:
        """Return "done" or "failed" for a run that needs no further training, else ""."""
        try:
            status = str(self.run(number).info["status"])
        except (HundredfoldError, OSError):
            return ""
        return status if status in _ENDED else ""

    def score(self, number: int) -> float | None:
        """Return the validation accuracy of a finished run's weights; None without one."""
        value = self.run(number).scores.get(KEY, {}).get("value")
        return None if value is None else float(value)

    def seconds(self, number: int) -> float:
        """Return the seconds of training in a run's curve."""
        rows = self.run(number).curve
        return float(rows[-1].get("seconds", 0.0)) if rows else 0.0

    def lose(self, number: int, reason: str = "") -> None:
        """Mark a run as a loser of the search, and delete its weights and saves.

        A run that was stopped is done then, as with early stopping. The run may be gone.
        """
        self._mark(number, "lost", reason)

    def win(self, number: int) -> None:
        """Mark a run as the winner."""
        self._mark(number, "won", "")

    def _mark(self, number: int, search: str, reason: str) -> None:
        run = self.run(number)
        if not run.folder.exists():
            return
        info = run.info
        ended = {} if info["status"] == "done" else {"status": "done", "reason": reason}
        if info.get("search") != search or ended:
            with run.writer():
                run.save_info(info | ended | {"search": search})
        surplus.free(run)
