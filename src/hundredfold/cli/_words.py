"""What `hundredfold study` says: the plan, where each training stands, the verdict."""

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from hundredfold import metrics, wording
from hundredfold.cli._table import table
from hundredfold.comparison import Comparison, System
from hundredfold.run import Run
from hundredfold.studies import Member
from hundredfold.studies.plan import Plan

_STATES = ("finished", "unfinished", "missing")
_SENTENCES = 6  # at most; beyond that only those about the best variant


def say_plan(plan: Plan) -> None:
    """Say how many runs there are, and how many are still to be trained."""
    what = plan.study
    variants = len({member.label for member in plan.members})
    counts = [f"{variants} variants x {what.seeds} seeds", f"{len(plan.done)} runs finished"]
    if plan.begun:
        counts.append(f"{len(plan.begun)} to go on with")
    counts.append(f"{len(plan.missing) - len(plan.begun)} to train")
    sys.stdout.write(f"{what.title or what.name}: {', '.join(counts)}\n")
    sys.stdout.flush()


def say_estimate(cost: Mapping[str, Any]) -> None:
    """Say what `estimate` found."""
    lines = [f"  {state:<11} {one}\n" for state in _STATES for one in cost[state]]
    total = f"at most {wording.seconds(cost['seconds'])} and {wording.memory(cost['bytes'])} more\n"
    sys.stdout.write("".join(lines) + total)


def standing(member: Member, place: Path) -> str:
    """Return how far the training in a folder is."""
    curve = Run(place).curve
    if not curve:
        return "starting"
    last = curve[-1]
    accuracy = wording.percent(last.get("validation.top_1", last.get("train.top_1")), 1)
    seen = "" if "validation.top_1" in last else " of the training images"
    return f"epoch {last['epoch']:.0f} of {member.recipe.epochs}, {accuracy}{seen}"


def trained(plan: Plan, member: Member) -> str:
    """Return a line about a member that has just been trained."""
    one, metric = plan.done[member], plan.study.metric
    shown = _value(metric, one.scores.get(f"validation.{metric}", {}).get("value"))
    width = max(len(str(m)) for m in plan.members)
    spent = f"{one.info['epochs']} epochs in {wording.seconds(one.info['seconds'])}"
    return f"trained  {member!s:<{width}}  {shown:>8}  {spent}"


def say_result(plan: Plan, found: Comparison, page: Path) -> None:
    """Print the table of variants and what may be said of each pair."""
    head = [found.metric, "n", "mean ± sd", "95 % interval", "seconds", "parameters"]
    rows = [_row(plan, found.metric, system) for system in found.systems]
    reference, note = plan.study.reference, ""
    if reference:
        head.append("reference")
        rows = [(*row, _value(found.metric, reference.values.get(row[0]))) for row in rows]
        note = f"reference: {reference.source}\n"
    pairs = found.pairs if len(found.pairs) <= _SENTENCES else found.against_best()
    said = "".join(f"{pair.sentence}\n" for pair in pairs)
    sys.stdout.write(f"\n{table(head, rows)}{note}\n{said}\n{page}\n")


def _row(plan: Plan, metric: str, system: System) -> tuple[str, ...]:
    infos = [one.info for member, one in plan.runs.items() if member.label == system.label]
    mean, sd = _value(metric, system.mean), system.sd
    low, high = _value(metric, system.low), _value(metric, system.high)
    return (
        system.label,
        str(system.n),
        mean if sd is None else f"{mean.removesuffix(' %')} ± {_value(metric, sd)}",
        "-" if system.low is None else f"{low.removesuffix(' %')} to {high}",
        f"{fmean(info['seconds'] for info in infos):.1f}",
        f"{infos[0]['parameters']:,}",
    )


def _value(metric: str, number: float | None) -> str:
    if number is None:
        return "-"
    return metrics.about(metric).text(number, 4)
