"""The end of a search: its winner against the untuned recipe, with fresh seeds, on validation.

The score by which a winner was chosen is too good on average: it is the largest of many, each with
luck of its own. Fresh seeds are chosen by nothing, so their mean is not. Where validation images
are cut anew for each seed, the images are fresh too. Where a data set has a validation part of its
own, they are those that chose the winner, and only `evaluate` knows better.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from hundredfold import files, reports
from hundredfold.comparison import ENOUGH_SEEDS, Comparison, System, student_critical
from hundredfold.events import Display
from hundredfold.executors import Executor
from hundredfold.studies.plan import Plan
from hundredfold.studies.runner import Result, carry_out
from hundredfold.studies.search.journal import Trial
from hundredfold.studies.search.record import Record
from hundredfold.studies.search.space import Value
from hundredfold.studies.search.trials import Trials

TUNED, UNTUNED = "tuned", "untuned"
RECIPE = "tuned.toml"
_LEVEL = 0.05
Variants = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True)
class Ending:
    """What a search found.

    winner: number of the best trial. search: its score in the search. fresh: mean score of the
    tuned recipe with fresh seeds; low, high: 95 % interval of that mean, None with one seed.
    verdict: "better", "worse", "not distinguishable", or "untuned" where the recipe itself won.
    """

    winner: int
    search: float
    fresh: float
    low: float | None
    high: float | None
    verdict: str
    sentences: list[str]


def conclude(
    winner: Trial,
    trials: Trials,
    record: Record,
    plan: Callable[[Variants, int], Plan],
    executor: Executor,
    display: Display | None,
) -> Result:
    """Compare a winner with the untuned recipe; write the record, the recipe and the page.

    plan: makes the plan of a study of variants (label -> values) with so many seeds.

    Raises CheckError where runs of the comparison failed; the same command trains them again.
    """
    recipe = trials.recipe(winner.number, winner.values)
    same = recipe.digest == trials.recipe(winner.number, {}).digest
    variants: Variants = {UNTUNED: {}} if same else {TUNED: winner.values, UNTUNED: {}}
    study = plan(variants, record.seeds)
    result = carry_out(study, executor, display, on_validation=True)
    if result.failed:
        raise result.failed
    assert winner.score is not None, "a winner is finished"
    ending = judged(result.comparison, winner.number, winner.score)
    record.status, record.result = "done", asdict(ending)
    record.write(record.shown)
    title = f"{study.study.title}: tuned"
    about = f"hundredfold tune, trial {winner.number} of the search {study.folder.name}"
    best = recipe.override({"seed": 0, "title": title, "source": about})
    files.write_text(study.folder / RECIPE, best.toml())
    reports.write_study(study.folder, study.source)
    return result


def judged(comparison: Comparison, winner: int, search: float) -> Ending:
    """Return the verdict on a comparison, and by how much the search's score was too good.

    search: the winner's validation accuracy in the search.
    """
    systems = {system.label: system for system in comparison.systems}
    tuned = systems.get(TUNED, systems[UNTUNED])
    verdict, sentence = _verdict(comparison)
    sentences = [_optimism(search, tuned), sentence]
    return Ending(winner, search, tuned.mean, tuned.low, tuned.high, verdict, sentences)


def _verdict(comparison: Comparison) -> tuple[str, str]:
    """Return the verdict on the tuned recipe, and a sentence on it."""
    if not comparison.pairs:
        return "untuned", "The search found no better recipe than the untuned one."
    pair = comparison.pairs[0]
    sign = 1 if pair.first == TUNED else -1
    difference = sign * pair.difference
    ends = sorted(sign * end for end in (pair.low, pair.high) if end is not None)
    bounds = f" (95 % interval {_points(ends[0])} to {_points(ends[1])})" if ends else ""
    seeds = f"{pair.seeds} fresh seed{'s' if pair.seeds > 1 else ''} each"
    amount = f"{_points(difference)} points{bounds}, {seeds}"
    settled = pair.verdict in ("better", "worse")
    if settled:
        verdict = "better" if difference > 0 else "worse"
        return verdict, f"Tuned is {verdict} than untuned: {amount}."
    few = "; that is too few seeds to tell" if pair.seeds < ENOUGH_SEEDS else ""
    text = f"Tuned and untuned are not distinguishable: they differ by {amount}{few}."
    return "not distinguishable", text


def _optimism(search: float, tuned: System) -> str:
    """Say by how much the search's own score was too good.

    It is compared with the 95 % interval for one more seed, mean ± t s sqrt(1 + 1 / n).
    """
    fresh = tuned.mean
    too_good = search - fresh
    begin = f"The search said {search:.1%}, fresh seeds say {fresh:.1%}".replace("%", " %")
    amount = f"{_points(abs(too_good)).lstrip('+')} points"
    direction = "too good" if too_good > 0 else "too low"
    if tuned.low is None or tuned.high is None or tuned.sd is None:
        return f"{begin}: the search's score was {amount} {direction}, by one seed."
    half = student_critical(_LEVEL, tuned.n - 1) * tuned.sd * math.sqrt(1 + 1 / tuned.n)
    if abs(too_good) > half:
        return f"{begin}: the search's score was {amount} {direction}."
    return f"{begin}: {amount} apart, which another seed alone can change (± {100 * half:.1f})."


def _points(fraction: float) -> str:
    return f"{round(100 * fraction, 1) + 0.0:+.1f}"  # + 0.0 turns -0.0 into 0.0
