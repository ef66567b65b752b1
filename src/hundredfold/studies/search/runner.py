"""The search: draw trials while there is time, stop the worse ones, keep the best.

Every decision is in the journal before it is acted upon. So a command that is killed at any time
finds its running trials there, resumes their runs, and neither loses nor doubles one.
"""

from collections.abc import Mapping
from typing import Any

from hundredfold import wording
from hundredfold.errors import CheckError, kind_of
from hundredfold.events import Display
from hundredfold.executors import Executor, Job, JobProgress, Outcome
from hundredfold.studies.search.allowance import Allowance, Limits
from hundredfold.studies.search.journal import Journal, Trial
from hundredfold.studies.search.record import Record
from hundredfold.studies.search.stopwatch import Stopwatch
from hundredfold.studies.search.trials import KEY, Trials

_ATTEMPTS = 3  # of a trial whose process is killed, in one command
_KILLED = (129, 130, 137, 143)
_NOT_FINITE = "not finite"
_TIME = "the time of the search was over"


class Search:
    """A search that runs; see the module. at: the rungs, in epochs."""

    def __init__(
        self,
        journal: Journal,
        trials: Trials,
        record: Record,
        limits: Limits,
        at: tuple[int, ...],
        display: Display | None,
    ) -> None:
        self.journal, self.trials, self.record, self.limits = journal, trials, record, limits
        self._at, self._display = at, display
        self._epochs = float(trials.untuned.recipe.epochs)
        self._stopwatch = Stopwatch(self._epochs)
        self.allowance = Allowance(journal, trials, record, limits, self._stopwatch)
        self._again: list[int] = []
        self._attempts: dict[int, int] = {}
        self._running: set[int] = set()

    def run(self, executor: Executor) -> Trial:
        """Carry out the search, and return the best trial; its run is marked as the winner.

        Raises Interrupted after a signal, UsageError for a budget that is too short, CheckError
        where no trial was finished, and the error of the untuned recipe where it cannot be trained.
        """
        jobs = self._recovered()
        try:
            for number, outcome in executor.outcomes(jobs, self._watch, self._more):
                self._running.discard(number)
                self._end(number, outcome)
        finally:
            self._show("end", "")
            self.record.write(self.journal.trials())
        best = self.journal.best()
        if best is None:
            raise CheckError(
                "no trial of the search was finished",
                found=next((t.reason for t in self.journal.trials() if t.reason), None),
            )
        self.trials.win(best.number)
        return best

    def _recovered(self) -> dict[int, Job]:
        """Return the jobs of trials that a former command left unfinished; end finished ones."""
        best, jobs = self.journal.best(), dict[int, Job]()
        for trial in self.journal.trials():
            self.trials.wait(trial.number)
            if trial.state == "running":
                ended = self.trials.ended(trial.number)
                if ended == "done":
                    self._done(trial.number)
                elif ended == "failed":
                    reason = str(self.trials.run(trial.number).info.get("reason", ""))
                    self._failed(trial.number, Outcome(CheckError.exit_code, {}, reason))
                elif self._outdone(trial):
                    self._stop(trial.number, max(trial.rungs))
                    self.trials.lose(trial.number, self._reason(trial.number))
                else:
                    jobs[trial.number] = self._job(trial)
            elif best is None or trial.number != best.number:
                self.trials.lose(trial.number, trial.reason)
        return jobs

    def _outdone(self, trial: Trial) -> bool:
        """Return whether a trial was to be stopped at its last rung when the command was killed."""
        if not trial.rungs:
            return False
        epoch, accuracy = max(trial.rungs.items())
        return self.journal.report(trial.number, epoch, accuracy)

    def _job(self, trial: Trial) -> Job:
        self._running.add(trial.number)
        self._attempts[trial.number] = self._attempts.get(trial.number, 0) + 1
        return self.trials.job(trial.number, trial.values)

    def _more(self) -> Mapping[int, Job]:
        """Return a trial whose process was killed, else a new one while there is time."""
        if self._again:
            number = self._again.pop(0)
            return {number: self._job(self.journal.trial(number))}
        room = len(self._running) < self.limits.most and not self._full()
        if not room or self.allowance.is_used(self._running, another=True):
            return {}
        trial = self.journal.ask()
        return {trial.number: self._job(trial)}

    def _full(self) -> bool:
        planned = self.limits.trials
        return planned is not None and len(self.journal.trials()) >= planned

    def _watch(self, running: Mapping[int, JobProgress]) -> tuple[int, ...]:
        """Report the rungs that trials have reached; return those that shall stop."""
        stopped = []
        states = {trial.number: trial for trial in self.journal.trials()}
        for number, progress in running.items():
            self._stopwatch.see(number, progress.curve)
            trial = states[number]
            if trial.state == "running" and self._is_behind(trial, progress.curve):
                stopped.append(number)
        is_one_running = any(states[n].state == "running" for n in running)
        if is_one_running and self.allowance.is_used(self._running):
            stopped += self._cut([n for n in running if n not in stopped])
        self.record.tick()
        self._show("status", self._line(running, states))
        return tuple(stopped)

    def _is_behind(self, trial: Trial, curve: Any) -> bool:
        """Report new rungs of a running trial; return whether it is now stopped at one."""
        accuracy = {int(row["epoch"]): row[KEY] for row in curve if KEY in row}
        for epoch in self._at:
            if epoch not in accuracy or epoch in trial.rungs:
                continue
            if self.journal.report(trial.number, epoch, accuracy[epoch]):
                self._stop(trial.number, epoch)
                return True
        return False

    def _stop(self, number: int, epoch: int) -> None:
        reason = f"stopped by the search after epoch {epoch}: others were better there"
        self.journal.end(number, "stopped", seconds=self._seconds(number), reason=reason)
        self._wrote()

    def _cut(self, numbers: list[int]) -> list[int]:
        """End the trials that still run, as the rest of the budget is for the comparison."""
        states = {trial.number: trial.state for trial in self.journal.trials()}
        cut = [number for number in numbers if states[number] == "running"]
        for number in cut:
            self.journal.end(number, "stopped", seconds=self._seconds(number), reason=_TIME)
        self._wrote()
        return cut

    def _end(self, number: int, outcome: Outcome) -> None:
        """Note what became of a trial whose process has ended."""
        trial = self.journal.trial(number)
        if trial.state != "running":
            self.trials.lose(number, trial.reason)
            self._say(f"trial {number}: {trial.reason}")
        elif outcome.code == 0:
            self._done(number)
        elif outcome.code in _KILLED and self._attempts.get(number, 0) < _ATTEMPTS:
            self._again.append(number)
        else:
            self._failed(number, outcome)

    def _done(self, number: int) -> None:
        """Note a finished trial, and let the worse one of it and the best lose its weights."""
        before, score = self.journal.best(), self.trials.score(number)
        if score is None:
            self._failed(number, Outcome(1, {}, "it has no validation accuracy"))
            return
        rows = self.trials.run(number).curve
        for epoch in self._at:
            if found := [row[KEY] for row in rows if row["epoch"] == epoch and KEY in row]:
                self.journal.report(number, epoch, found[0])
        seconds = self._seconds(number)
        self.journal.end(number, "done", score=score, seconds=seconds)
        best = self.journal.best()
        for loser in (number, before.number if before else number):
            if best and loser != best.number:
                self.trials.lose(loser)
        mark = ", the best so far" if best and best.number == number else ""
        self._say(f"trial {number}: {score:.2%} in {wording.seconds(seconds)}{mark}")
        self._wrote()

    def _failed(self, number: int, outcome: Outcome) -> None:
        """Note a trial that cannot be finished; raise its error where none ever was."""
        diverged = _NOT_FINITE in outcome.reason
        if not diverged and self.journal.best() is None:
            error = kind_of(outcome.code)(f"trial {number} failed", found=outcome.reason)
            error.exit_code = outcome.code
            raise error
        state = "stopped" if diverged else "failed"  # TPE learns from a rate that is too large
        self.journal.end(number, state, seconds=self._seconds(number), reason=outcome.reason)
        self.trials.lose(number, outcome.reason)
        self._say(f"trial {number} failed: {outcome.reason}")
        self._wrote()

    def _seconds(self, number: int) -> float:
        return max(self._stopwatch.seconds(number), self.trials.seconds(number))

    def _reason(self, number: int) -> str:
        return self.journal.trial(number).reason

    def _wrote(self) -> None:
        self.record.write(self.journal.trials())

    def _line(self, running: Mapping[int, JobProgress], states: Mapping[int, Trial]) -> str:
        planned = f" of {self.limits.trials}" if self.limits.trials else ""
        best = max((t.score for t in states.values() if t.score is not None), default=None)
        parts = [f"{len(states)}{planned} trials"]
        if best is not None:
            parts.append(f"best {best:.2%}")
        if self.limits.budget:
            spent, budget = self.record.spent, self.limits.budget
            parts.append(f"{wording.seconds(spent)} of {wording.seconds(budget)}")
        parts += [f"trial {n}: {_progress(job, self._epochs)}" for n, job in running.items()]
        return "  ".join(parts)

    def _say(self, text: str) -> None:
        self._show("message", text)

    def _show(self, kind: str, text: str) -> None:
        if self._display is not None and (kind != "status" or self._display.live):
            self._display.show({"event": kind, "text": text})


def _progress(job: JobProgress, epochs: float) -> str:
    node = f"{job.node}, " if job.node else ""
    if not job.curve:
        return f"{node}starting"
    row = job.curve[-1]
    return f"{node}epoch {row['epoch']:.0f} of {epochs:g}, {row.get(KEY, 0.0):.1%}"
