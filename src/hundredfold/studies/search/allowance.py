"""Whether the budget of a search allows another trial, or one that runs to go on."""

from collections.abc import Collection
from dataclasses import dataclass

from hundredfold import wording
from hundredfold.errors import UsageError
from hundredfold.studies.search import times
from hundredfold.studies.search.journal import Journal, Trial
from hundredfold.studies.search.record import Record
from hundredfold.studies.search.stopwatch import Stopwatch
from hundredfold.studies.search.times import Cost
from hundredfold.studies.search.trials import Trials


@dataclass
class Limits:
    """When a search ends.

    budget: seconds with the comparison, or None. trials: their number, or None. slots: trials
    that run concurrently, as far as known. most: the largest such number.
    """

    budget: float | None
    trials: int | None
    slots: int
    most: int


@dataclass(frozen=True)
class Allowance:
    """What is left of a budget; the cost of trainings is measured on the trials."""

    journal: Journal
    trials: Trials
    record: Record
    limits: Limits
    stopwatch: Stopwatch

    def cost(self, running: Collection[int] = ()) -> tuple[Cost, bool] | None:
        """Return the estimated cost of trainings, and whether it is sure; None before any epoch."""
        trials, best = self.journal.trials(), self.journal.best()
        estimates = [self._estimate(trial, running) for trial in trials[:1]]
        estimates += [self.stopwatch.whole(number) for number in sorted(running)]
        untuned = next((estimate for estimate in estimates if estimate), None)
        if untuned is None and best is None:
            return None
        seconds, sure = untuned or (best.seconds, True)  # type: ignore[union-attr]
        return Cost(seconds, best.seconds if best else seconds), sure

    def _estimate(self, trial: Trial, running: Collection[int]) -> tuple[float, bool] | None:
        if trial.state == "done":
            return trial.seconds, True
        if trial.number in running:
            return self.stopwatch.whole(trial.number)
        return self.stopwatch.whole(trial.number, self.trials.run(trial.number).curve)

    def is_used(self, running: Collection[int], *, another: bool = False) -> bool:
        """Return whether the rest of the budget is for the comparison.

        running: the trials that run. another: whether there is no time for another whole training.

        Raises UsageError where the budget ends before any trial does.
        """
        limits, known = self.limits, self.cost(running)
        limits.slots = max(limits.slots, min(len(running), limits.most))
        if limits.budget is None or known is None:
            return False
        cost, sure = known
        finished = self.journal.best() is not None
        if sure and not finished and times.least(cost, limits.slots) > limits.budget:
            raise self._too_short(limits.budget, cost)
        needed = times.reserve(limits.budget, cost, limits.slots)
        used = self.record.spent + needed + (cost.untuned if another else 0.0) > limits.budget
        if used and not finished and not another:
            raise self._too_short(limits.budget, cost)
        return used

    def _too_short(self, budget: float, cost: Cost) -> UsageError:
        minutes = -(-2 * times.least(cost, self.limits.slots) // 60)
        return UsageError(
            f"the budget of {wording.seconds(budget)} is too short for a search",
            found=f"one training takes about {wording.seconds(cost.untuned)}",
            remedy=f"--budget {minutes:.0f}m or more and another --name, or fewer epochs",
        )
